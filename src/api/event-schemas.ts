/**
 * JSON Schemas of pushed events, which only describe.
 *
 * Rule: one member for each event, by its name; what is as in other answers is given.
 */
import { COUNT_OR_NULL, FLAG, MOMENT, nullable, object, type Schema, TEXT, TEXT_OR_NULL } from './schema-parts.ts';

export function eventsSchema(given: { readonly token: Record<string, Schema>; readonly status: Schema }): Schema {
  const { expires_in: _volatile, ...token } = given.token;
  return object({
    token: object(token),
    phase: object({
      credential: TEXT,
      phase: TEXT,
      reason: TEXT_OR_NULL,
      status: given.status,
      refreshable: FLAG,
      generation: COUNT_OR_NULL,
      rejection_pending: FLAG,
      remedy: TEXT_OR_NULL,
    }),
    chain: object({
      chain: TEXT,
      credential: TEXT_OR_NULL,
      status: { enum: ['usable', 'temporarily_unavailable', 'reauthorization_required', 'removed'] },
      generation: COUNT_OR_NULL,
      rejection_pending: FLAG,
      instead_of: nullable(object({ credential: TEXT, reason: TEXT, code: TEXT })),
      members: {
        type: 'array',
        items: object({ credential: TEXT, reason: TEXT, code: TEXT, remedy: TEXT_OR_NULL }),
      },
    }),
    alert: object({
      credential: TEXT,
      kind: TEXT,
      id: TEXT,
      at: MOMENT,
      code: TEXT_OR_NULL,
      title: TEXT,
      text: TEXT,
      remedy: TEXT_OR_NULL,
    }),
    synchronized: object({ resumed: FLAG }),
  });
}
