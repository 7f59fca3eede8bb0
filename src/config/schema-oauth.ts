/**
 * The part of the schema that describes a client at an authorization server: `refresh.oauth`.
 *
 * Rule: shapes and bounds only; what depends on several keys at once is checked in resolve-oauth.ts.
 */
import * as z from 'zod';
import { complain, describeSeen } from './complaint.ts';
import { SETTING_TABLE } from './limits.ts';
import { choice, docs, number, object, path, text } from './schema-kit.ts';

const url = (doc: string): z.ZodString =>
  text({ expected: 'an https:// address (http:// on loopback only)', pattern: /^(?:https?:\/\/|\$\{)/, doc });

const parameters = (text: string) => {
  const schema = z.record(
    z.string(),
    z.string({
      error: (issue) =>
        complain({ expected: 'a string', seen: describeSeen(issue.input, true), remedy: 'put it into quotes' }),
    }),
    {
      error: (issue) =>
        complain({
          expected: 'an object of names and strings',
          seen: describeSeen(issue.input, true),
          remedy: 'correct it',
        }),
    },
  );
  docs.add(schema, { text, kind: 'object of strings' });
  return schema;
};

export const oauthSchema = object(
  {
    tokenEndpoint: url('Where the refresh token is sent. One of `tokenEndpoint` and `issuer` is needed.').optional(),
    issuer: url(
      'The issuer, exactly as its discovery document names it; endpoints that are not given are found there.',
    ).optional(),
    clientId: text({
      expected: 'a client id',
      doc: 'The id under which this client is registered. freshd ships none.',
    }),
    clientSecret: text({
      expected: `\${env:NAME} or \${file:PATH}`,
      pattern: /\$\{(?:env|file):[^}]+\}/,
      secret: true,
      remedy: 'a secret does not belong into this file: put it into the environment or a file of its own',
      doc: `Its secret, as \`\${env:NAME}\` or \`\${file:PATH}\`; absent for a public client.`,
    }).optional(),
    clientAuthentication: choice(['basic', 'post', 'none'], {
      doc: 'How the client shows who it is: in the header, in the body, or by its id alone.',
      fallback: '`"basic"` with a secret, `"none"` without',
    }).optional(),
    scope: text({
      expected: 'scopes, separated by spaces',
      doc: 'Asked for at login and at each refresh.',
      fallback: 'not sent',
    }).optional(),
    parameters: parameters(
      'More members of each request to the token endpoint, such as `resource` or `audience`.',
    ).optional(),
    body: choice(['form', 'json'], {
      doc: '`"json"` for the few servers that want the request so.',
      fallback: '`"form"`',
    }).optional(),
    caFile: path({
      doc: 'Certificates in PEM to trust for this server, instead of the built-in ones.',
    }).optional(),
    connectTimeoutSeconds: number(SETTING_TABLE.connectTimeoutSeconds),
    authorizationEndpoint: url('For `freshd login` in a browser, with PKCE.').optional(),
    deviceAuthorizationEndpoint: url('For `freshd login` by a code that is typed in elsewhere.').optional(),
    loginParameters: parameters(
      'For `freshd login`: more members of the request that begins it, such as `access_type` or `prompt`. They are shown, so no secrets.',
    ).optional(),
    redirectUri: text({
      expected: 'an http:// address on loopback',
      pattern: /^http:\/\//,
      doc: 'For `freshd login` in a browser: the address that is registered for this client.',
      fallback: '`http://127.0.0.1:<a free port>/callback`',
    }).optional(),
  },
  { doc: 'freshd itself sends the refresh grant (RFC 6749 6).' },
);

export type RawOauth = z.infer<typeof oauthSchema>;
