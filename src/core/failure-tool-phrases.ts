/**
 * Sentences that tools are known to print on their standard error: logins that ended, the network, their own set-up.
 *
 * Rule: as in failure-phrases.ts; data, by grammar, bounded, the first match of a table wins.
 */
import type { Phrase } from './failure-phrases.ts';

/** A person must log in: the imperative that tools end with, or the state in their own words. */
export const LOGINS: readonly Phrase[] = [
  {
    class: 'terminal',
    code: 'login_required',
    pattern:
      /\b(?:please|must|need to|have to) (?:try )?(?:(?:log(?:ging)?|sign(?:ing)?)[ -]?(?:out and )?(?:(?:sign|log) )?(?:back )?in(?:to)?|re-?(?:authenticate|authorize|authorise|connect|login))(?=[\s.,:;!]|$)(?! as root)/i,
  },
  {
    class: 'terminal',
    code: 'login_required',
    pattern:
      /(?:^|[·.:;,(—–-] ?|\b(?:please|and|then|try|to continue,?) )(?:(?:log(?:ging)?|sign(?:ing)?)[ -]?(?:(?:out )?and )?(?:(?:log|sign) )?(?:back )?in|log ?in|re-?authenticate|re-?authorize|authenticate) again\b/i,
  },
  {
    class: 'terminal',
    code: 'login_required',
    pattern:
      /\bre-?(?:authenticate|authorize|authorise|login|log in|connect) (?:with|using|via|by|in the|your|at|to)\b|\breauthentication (?:is )?(?:failed|required|needed)\b|\breauthori[sz]ation required\b/i,
  },
  {
    class: 'terminal',
    code: 'login_required',
    pattern:
      /\b(?:run|use|try|execute|type)(?: the command)?:? {0,2}["'`$]{0,2} ?\/?(?:[\w.@/-]{1,40}:? {1,2}){0,4}?(?:auth(?:entication)? (?:add|login|refresh)|(?:sign|log)-?in|reauth)\b/i,
  },
  { class: 'terminal', code: 'login_required', pattern: /\bplease run \/login\b|(?:^|[\s(])\/login\s*$/i },
  {
    class: 'terminal',
    code: 'login_required',
    pattern:
      /\b(?:must|need to|have to) be (?:logged|signed) in\b|\b(?:manual|interactive|browser|user) (?:re-?)?(?:authori[sz]ation|authentication|log-?in|sign-?in|interaction) (?:is )?(?:required|needed)\b/i,
  },
  {
    class: 'terminal',
    code: 'key_invalid',
    pattern: /^(?:\W{0,3}\w{0,24}(?:error|fatal)?[:)\]]?\s{1,3})?(?:invalid|incorrect|expired) api key\b/i,
  },
  {
    class: 'terminal',
    code: 'not_logged_in',
    pattern:
      /^(?:\W{0,3}\w{0,24}(?:error|fatal|warning)?[:)\]]?\s{1,3})?(?:you(?: are|'re) )?(?:not|no longer) (?:currently )?(?:logged|signed) ?in(?:to)?\b/i,
  },
  {
    class: 'terminal',
    code: 'session_expired',
    pattern:
      /\b(?:login|log-?in|sign-?in|(?:sso |user |auth(?:entication|orization)? )?session)\b(?: (?!will|would|may|might|when|if|before|until|never|not)\S{1,24}){0,5}? (?:(?:has|have|is) (?:been |already )?)?(?:expired|ended|revoked|terminated|invalidated)\b|\bauthentication (?:has )?expired\b|(?:登录|会话)(?:状态)?已?(?:过期|失效)|请?重新(?:登录|授权|登陆)/i,
  },
  {
    class: 'terminal',
    code: 'no_account',
    pattern:
      /\bdo(?:es)? not (?:currently )?have an active account\b|\bno (?:active|logged[ -]in|signed[ -]in) account\b|\bno (?:(?:auth|api|oauth|login) )?credentials? (?:found|configured|stored|available)\b|\bno (?:stored|saved|valid|cached|usable) credentials?\b|\bcould not be found in the keychain\b|\bno (?:authorization|authentication|login|auth) (?:information|info|data|details)\b.{0,8} (?:found|stored)\b|\bno (?:(?:oauth|access|auth|api|session) )?tokens? (?:was |were )?(?:found|stored|cached|available)\b|\bcredentials? (?:were|was|are|is) not found\b|\b(?:unable|failed) to (?:locate|find) (?:\w{1,24} )?credentials?\b|\bcould not (?:locate|find) (?:\w{1,24} )?credentials?\b/i,
  },
  {
    class: 'terminal',
    code: 'not_logged_in',
    pattern:
      /^(?:\W{0,3}\w{0,24}(?:error|fatal)?[:)\]]?\s{1,3})?(?:you(?: are|'re) )?(?:(?:not (?:currently )?|un)authenticated|(?:log-?in|sign-?in) (?:is )?required)(?=$|[.;,:·!])/i,
  },
  {
    class: 'terminal',
    code: 'account_gone',
    pattern:
      /\b(?:account|user|workspace|organi[sz]ation)\b(?: \S{1,24}){0,3}? (?:has been|is|was) (?:deactivated|disabled|suspended|banned)\b/i,
  },
  // git, when the credential it holds was refused and nobody is there to be asked.
  {
    class: 'terminal',
    code: 'login_required',
    pattern:
      /\bincorrect (?:username or |or missing )?password\b|\bcould not read (?:username|password) for ['"]https?:|\bauthentication failed for ['"]https?:/i,
  },
  {
    class: 'terminal',
    code: 'token_revoked',
    pattern:
      /\btoken\b(?: \S{1,24}){0,3}? (?:has been |was |is )(?:revoked|invalidated)\b|\btoken has expired and refresh failed\b/i,
  },
  {
    class: 'terminal',
    code: 'token_invalid',
    pattern:
      /\btoken in \S{1,200} is (?:invalid|expired|no longer valid)\b|\btoken for \S{1,64} (?:does not exist|is invalid)\b/i,
  },
];

/** A tool that says by itself that this passes. */
export const PASSING: readonly Phrase[] = [
  {
    class: 'transient',
    code: 'said_to_pass',
    pattern:
      /\b(?:usually|probably|likely) (?:transient|temporary)\b|\banother (?:\w+ ){0,3}(?:process|instance|session) is (?:already |currently )?refreshing\b|\brefresh (?:is )?already in progress\b|\bwill recover automatically\b|\b(?:lock|lockfile|lock file) is (?:already )?(?:being )?held\b|\b(?:could not|couldn't|cannot|failed to|unable to|timed out (?:trying to|waiting to)) (?:acquire|obtain|get|take) (?:the |a |an )?(?:\w{1,24} )?lock\b/i,
  },
];

/** The network, by the words of resolvers, sockets, TLS libraries and HTTP clients. */
export const TRANSPORT: readonly Phrase[] = [
  {
    // The classes of errors that languages and libraries have for it.
    class: 'transient',
    code: 'network',
    pattern:
      /\b(?:UnknownHost|NoRouteToHost|Socket\w{0,16}|SSL\w{0,16}|TLS\w{0,16}|(?:New|Remote|Read|Connect|Pool|Proxy)\w{0,16}(?:Timeout|Connection|Disconnected))(?:Error|Exception)\b/,
  },
  {
    class: 'transient',
    code: 'dns',
    pattern:
      /\b(?:ENOTFOUND|EAI_AGAIN|EAI_NONAME|EAI_FAIL|ERR_NAME_NOT_RESOLVED|NXDOMAIN)\b|\bgetaddrinfo\b|\b(?:could not|couldn't|cannot|unable to|failed to) (?:resolve|look ?up)\b|\bno such host\b|\bname or service not known\b|\bname resolution\b|\bnodename nor servname\b|\bdns\b.{0,40}\b(?:fail\w*|error|timed? ?out|timeout)\b|\bunknown host\b/i,
  },
  {
    class: 'transient',
    code: 'unreachable',
    pattern:
      /\b(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENETDOWN|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT)\b|\bnetwork is (?:unreachable|down)\b|\bno route to host\b|\bconnection refused\b|\bfailed to (?:connect|establish a (?:new )?connection)\b|\bcould(?: not|n't) connect\b|\berror connecting to \S|\bcheck your (?:internet|network) connection\b|\bconnect(?:ion)? timeout\b|\bclient error \(connect\)|\bERR_(?:INTERNET_DISCONNECTED|NETWORK\w*|CONNECTION_\w+|PROXY\w*|ADDRESS_UNREACHABLE|TIMED_OUT)\b/i,
  },
  {
    class: 'transient',
    code: 'tls',
    pattern:
      /\bSSL_(?:ERROR|connect)\w*|\bssl(?:v3)? (?:certificate|handshake|alert|routines)\b|\bSSLError\b|\b(?:tls|ssl)\b.{0,24}\b(?:handshake|alert|error|fail\w*)\b|\bx509: |\bcertificate\b.{0,32}\b(?:verif\w+|expired|unknown authority|not trusted|problem|invalid)\b|\bverify\w* (?:the )?(?:\w+ )?certificate\b|\b(?:ssl|tls) connection (?:could not|cannot) be established\b|\bself[- ]signed certificate\b|\b(?:DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|CERT_HAS_EXPIRED)\b|\bunable to get (?:local )?issuer certificate\b/i,
  },
  {
    class: 'transient',
    code: 'timeout',
    pattern:
      /\b(?:ETIMEDOUT|ESOCKETTIMEDOUT|UND_ERR_(?:HEADERS|BODY)_TIMEOUT|TimeoutError|ReadTimeout|ConnectTimeout|AbortError)\b|\b(?:timed|timing) out\b|\b(?:i\/o|read|request|response|upstream request|operation|gateway|socket|due to|header|idle) timeout\b|\bdeadline exceeded\b|\btimeout (?:of \d|exceeded|error|awaiting|was reached)\b/i,
  },
  {
    class: 'transient',
    code: 'connection_lost',
    pattern:
      /\b(?:ECONNRESET|ECONNABORTED|EPIPE|UND_ERR_SOCKET|EPROTO|NGHTTP2_\w+)\b|\bconnection (?:was |is )?(?:reset|closed|aborted|lost|error|broken|terminated)\b|\bconnection\w*error\b|\bsocket (?:hang ?up|closed|error|disconnected)\b|: EOF$|\bunexpected (?:eof|end of (?:file|stream|json))\b|\bbroken pipe\b|\breset before headers\b|\bremote end closed\b|\bserver disconnected\b|\bempty reply\b|\bgoaway\b/i,
  },
  {
    class: 'transient',
    code: 'network',
    pattern:
      /\bfetch failed\b|\bfailed to fetch\b|\bnetwork ?(?:error|failure|changed|connection)\b|\berror sending request\b|\bproxy (?:error|connect\w*|tunnel\w*|authentication)\b|\bmax retries exceeded\b|\bno internet\b/i,
  },
  {
    class: 'transient',
    code: 'not_json',
    pattern:
      /\bunexpected token\b.{0,40}(?:<|\bjson\b)|\bis not valid json\b|\bjson parse error\b|\bunrecognized token\b.{0,8}<|\bjsondecodeerror\b|\binvalid character '<'|\bexpecting value: line\b|\bunexpected end of json\b|\bfailed to parse (?:\w+ ){0,3}json\b/i,
  },
  {
    class: 'transient',
    code: 'server_error',
    pattern:
      /\b(?:temporarily|currently) unavailable\b|\bservice unavailable\b|\binternal server error\b|\bbad gateway\b|\bgateway time-?out\b|\boverloaded\b|\btransient error\b|\btemporary (?:error|failure)\b/i,
  },
];

/** This machine, in a trouble that passes or that its alarms are for. */
export const MACHINE: readonly Phrase[] = [
  {
    class: 'transient',
    code: 'machine_trouble',
    pattern:
      /\bE(?:NOSPC|MFILE|NFILE|NOMEM|AGAIN|BUSY|IO|ROFS|DQUOT)\b|\bno space left on device\b|\bdisk quota exceeded\b|\btoo many open files\b|\bcannot allocate memory\b|\bout of memory\b|\bread-only file ?system\b|\bdevice or resource busy\b|\bresource temporarily unavailable\b|\binput\/output error\b/i,
  },
];

/** The script's own surroundings: programs, files, variables, options. */
export const SETUP: readonly Phrase[] = [
  {
    class: 'config',
    code: 'program_missing',
    pattern:
      /\bcommand not found\b|^\S{0,64}(?: \d{1,5})?: ?(?:line )?\d{1,5}: \S{1,64}: not found$|^(?:\/usr\/bin\/)?env: \S{1,80}: no such file or directory|\b(?:cannot|can't) (?:find module|open file)\b|\bModuleNotFoundError\b|\bImportError: |\bERR_MODULE_NOT_FOUND\b|\bexec format error\b|\bspawn \S{1,80} ENOENT\b|\bbad interpreter\b|\bexecutable (?:\S{1,80} )?(?:file )?not found\b/i,
  },
  {
    class: 'config',
    code: 'variable_missing',
    pattern:
      /\bunbound variable\b|\bparameter (?:null or )?not set\b|\bparameter null or not set\b|\bKeyError: ['"][A-Z][A-Z\d_]+['"]|\b(?:missing|required|set the|undefined|unset) (?:required )?(?:env(?:ironment)? )?var(?:iable)?s?\b|\benv(?:ironment)? var(?:iable)? \S{1,64} (?:is )?(?:not set|missing|required|empty|unset|undefined)\b|\b(?:set|define|export|provide) (?:a |an |the )?[A-Z][A-Z\d]*_[A-Z\d_]+ env(?:ironment)? var|\b[A-Z][A-Z\d]*_[A-Z\d_]+ (?:is |must be )(?:not set|unset|missing|required|undefined|set)\b/i,
  },
  {
    class: 'config',
    code: 'usage_error',
    pattern:
      /\b(?:unknown|unrecognized|invalid|illegal|unexpected) (?:command[ -]line )?(?:option|argument|flag|arguments|subcommand)\b|\boption \S{1,40} is unknown\b|^usage: |\bprotocol ["']\w{1,16}["'] not supported\b|\burl rejected\b|\burl using bad\/illegal format\b|\bunsupported protocol scheme\b|\binvalid url\b/i,
  },
  {
    class: 'config',
    code: 'permission_denied',
    pattern: /: permission denied$|\bEACCES: permission denied\b|\boperation not permitted\b/i,
  },
  {
    class: 'config',
    code: 'bad_configuration',
    pattern:
      /\b(?:invalid|malformed|unsupported|missing|broken|bad) (?:\w+ )?config(?:uration)?(?: file| version)?\b|\bconfig(?:uration)?(?: file)? (?:is |was )?(?:not found|invalid|malformed|missing)\b|\bfailed to (?:parse|load|read) (?:\w+ )?config(?:uration)?\b|\bconfig(?:uration)? (?:profile|section|file|key)\b.{0,64}?\b(?:not (?:be )?found|is missing|does not exist)\b/i,
  },
  // What programs of the shell say of an argument, and languages of a path.
  {
    class: 'config',
    code: 'file_missing',
    pattern:
      /^\S{1,64}: (?:line \d{1,5}: )?(?:cannot (?:open|access|stat) )?\S{1,200}: no such file or directory$|\bFileNotFoundError: \[Errno 2\]|\bENOENT: no such file or directory\b/i,
  },
];
