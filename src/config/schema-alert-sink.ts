/**
 * The part of the schema for `alerts.sinks`: where alerts go.
 *
 * Rule: one entry per sink; whatever lets somebody else send in our name, or read along, is a secret and never shown.
 */
import { SETTING_TABLE } from './limits.ts';
import { argv, choice, number, object, oneOf, text } from './schema-kit.ts';

export const TELEGRAM_URL = 'https://api.telegram.org';
export const NTFY_URL = 'https://ntfy.sh';

const SINK_TYPES = ['log', 'desktop', 'command', 'webhook', 'slack', 'discord', 'telegram', 'ntfy', 'sentry'] as const;

const timeoutSeconds = number(SETTING_TABLE.sinkTimeoutSeconds);

const sinkUrl = text({
  expected: 'a URL',
  secret: true,
  doc: `Where to send it. Best as \`\${env:NAME}\`: such a URL is a secret. https, or http to this machine.`,
});

const secretText = (doc: string) => text({ expected: 'a text', secret: true, doc: `${doc} Best as \`\${env:NAME}\`.` });

const serverUrl = (fallback: string, doc: string) =>
  text({
    expected: 'a URL',
    secret: true,
    doc: `${doc} https, or http to this machine.`,
    fallback: `\`"${fallback}"\``,
  }).optional();

const sinkSecret = text({
  expected: 'a text',
  secret: true,
  doc: `Signs each message: HMAC-SHA-256 in the header \`X-Freshd-Signature: sha256=…\`. Best as \`\${env:NAME}\`.`,
}).optional();

export const sinkSchema = oneOf(
  'type',
  [
    object({ type: choice(['log'], { doc: 'The log.' }) }, { doc: 'Writes the alert into the log.' }),
    object(
      { type: choice(['desktop'], { doc: 'The desktop.' }), timeoutSeconds },
      { doc: 'Shows a notification in the session of this user.' },
    ),
    object(
      {
        type: choice(['command'], { doc: 'A program.' }),
        command: argv({ doc: 'The program and its arguments.' }),
        timeoutSeconds,
      },
      { doc: 'Runs a program with the alert as JSON on stdin.' },
    ),
    object(
      {
        type: choice(['webhook'], { doc: 'A URL.' }),
        url: sinkUrl,
        secret: sinkSecret,
        timeoutSeconds,
      },
      { doc: 'Posts the alert as JSON.' },
    ),
    object(
      { type: choice(['slack'], { doc: 'An incoming webhook of Slack.' }), url: sinkUrl, timeoutSeconds },
      { doc: 'Posts the alert to Slack.' },
    ),
    object(
      { type: choice(['discord'], { doc: 'A webhook of a channel on Discord.' }), url: sinkUrl, timeoutSeconds },
      { doc: 'Posts the alert to Discord.' },
    ),
    object(
      {
        type: choice(['telegram'], { doc: 'A bot of Telegram.' }),
        botToken: secretText('The token that BotFather gave.'),
        chatId: text({
          expected: 'a number or @channel, as text',
          pattern: /^(-?\d+|@\w+)$/,
          doc: 'The chat that the bot writes to.',
        }),
        url: serverUrl(TELEGRAM_URL, 'A Bot API server of your own.'),
        timeoutSeconds,
      },
      { doc: 'Lets a bot send the alert.' },
    ),
    object(
      {
        type: choice(['ntfy'], { doc: 'A topic of ntfy.' }),
        topic: secretText('Whoever knows the topic reads along, where the server has no accounts.'),
        token: secretText('An access token of the server.').optional(),
        url: serverUrl(NTFY_URL, 'The server.'),
        timeoutSeconds,
      },
      { doc: 'Notifies the devices that listen to a topic.' },
    ),
    object(
      {
        type: choice(['sentry'], { doc: 'A project of Sentry, or of what speaks its protocol.' }),
        dsn: secretText('`https://KEY@HOST/PROJECT`, from the settings of the project.'),
        timeoutSeconds,
      },
      { doc: 'Sends an event to the error tracker; one issue per credential and code.' },
    ),
  ],
  { values: SINK_TYPES, doc: 'One way to reach a person.' },
);
