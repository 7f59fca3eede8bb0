/**
 * The ExecCredential that kubectl and other clients of Kubernetes read from an exec plugin.
 *
 * Rule: in the version that the caller asks for; it refuses any other.
 *
 * @see Kubernetes, "Client Authentication (v1)" and "(v1beta1)": the two have the same `status`
 */
import { CommandError, type CommandIo } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { type Format, printable } from './contract.ts';

export const kubectl: Format = async ({ io, read }) => {
  const apiVersion = versionAskedFor(io);
  const token = await read();
  const expiry = token.expires_at === null ? {} : { expirationTimestamp: token.expires_at };
  const status = { ...expiry, token: printable(token) };
  return `${JSON.stringify({ apiVersion, kind: 'ExecCredential', status })}\n`;
};

function versionAskedFor({ env }: CommandIo): string {
  const { KUBERNETES_EXEC_INFO: info = '' } = env;
  // By hand, to look at it: no client calls a plugin without.
  if (info === '') return `${GROUP}/v1`;
  const wanted = apiVersionIn(info);
  if (VERSIONS.some((version) => wanted === `${GROUP}/${version}`)) return String(wanted);
  throw new CommandError(
    `KUBERNETES_EXEC_INFO: expected apiVersion ${GROUP}/v1 or v1beta1, got ${JSON.stringify(String(wanted).slice(0, 80))}; ` +
      'set apiVersion of the exec plugin in the kubeconfig',
    EXIT.dataError,
  );
}

function apiVersionIn(info: string): unknown {
  try {
    return (JSON.parse(info) as { apiVersion?: unknown } | null)?.apiVersion ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

const GROUP = 'client.authentication.k8s.io';

const VERSIONS = ['v1', 'v1beta1'];
