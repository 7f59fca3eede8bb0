/**
 * The part of the schema that says who may read a credential.
 *
 * Rule: shapes and bounds only; whether the system can tell readers apart is found out by the daemon that loads it.
 */
import * as z from 'zod';
import { complain, describeSeen } from './complaint.ts';
import { list, object, path } from './schema-kit.ts';

const idError = (issue: z.core.$ZodRawIssue): string =>
  complain({
    expected: `a number 0–${ID_MAX}`,
    seen: describeSeen(issue.input),
    remedy: 'write the number that `id` shows, not a name',
  });

// `(uid_t) -1` is no user.
const ID_MAX = 4_294_967_294;
const id = z
  .number({ error: idError })
  .int({ error: idError })
  .min(0, { error: idError })
  .max(ID_MAX, { error: idError });

export const allowSchema = object(
  {
    uids: list(id, { doc: 'Users, by number.', kind: 'array of numbers' }),
    gids: list(id, { doc: 'Groups, by number; any group of the reading process counts.', kind: 'array of numbers' }),
    executables: list(path({ doc: 'A program.' }), {
      doc: 'Programs, by path. Where users or groups are named too, a reader must fit both. It keeps mistakes away, not attackers: an interpreter runs any script, and whoever runs the same program can make it ask.',
      kind: 'array of paths',
    }),
  },
  {
    doc: 'Who may read this credential from the socket; left out: whoever may connect. A user or a group that is named suffices. There is then no token file. Needs the optional package koffi, and a system that tells who connects.',
  },
);
