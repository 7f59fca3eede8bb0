/**
 * config.schema.json, for editors: made from the zod schema and the documentation of its keys.
 *
 * Rule: nothing is written here that the schema does not say.
 */
import * as z from 'zod';
import { configSchema } from '../src/config/schema.ts';
import { docs } from '../src/config/schema-kit.ts';

/** Draft 7 is what editors understand best. */
export function configJsonSchema(): string {
  const schema = z.toJSONSchema(configSchema, {
    target: 'draft-7',
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      const doc = docs.get(zodSchema);
      if (doc === undefined || doc.text === '') return;
      const fallback = doc.fallback === undefined ? '' : ` Default: ${doc.fallback}.`;
      jsonSchema.description = `${doc.text}${fallback}`;
    },
  });
  return `${JSON.stringify({ title: 'Configuration of freshd', ...schema }, null, 2)}\n`;
}
