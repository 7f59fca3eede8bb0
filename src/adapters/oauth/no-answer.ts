/**
 * Why an exchange with an authorization server brought no answer, and whether it may have got our request.
 */

/** An exchange that failed. Holds no secret, and no `cause`: the system's errors may quote headers. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  /** Stable and greppable. */
  readonly code: string;
  /** The request was handed to a connection that stood; from then on nobody here knows what the server did. */
  readonly isSent: boolean;
  constructor(message: string, options: { readonly code: string; readonly isSent: boolean }) {
    super(message);
    this.code = options.code;
    this.isSent = options.isSent;
  }
}
