import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LIMIT_NAMES, LIMIT_TABLE } from '../src/config/limits.ts';
import { generateAll } from '../tools/documents.ts';

const documents = generateAll();

describe('generated documents', () => {
  test.each([...documents.keys()])('%s is what npm run docs would write', (path) => {
    expect(readFileSync(path, 'utf8'), `${path}: expected the generated text; npm run docs writes it`).toBe(
      documents.get(path),
    );
  });

  test('docs/config.md names every limit with its bounds and default', () => {
    const lines = (documents.get('docs/config.md') ?? '').split('\n');
    for (const name of LIMIT_NAMES) {
      const { min, max, default: fallback } = LIMIT_TABLE[name];
      const row = lines.find((line) => line.startsWith(`| \`${name}\` |`));
      expect(row).toContain(`, ${min}–${max} | ${fallback} |`);
    }
  });

  test('config.schema.json has the same bounds as the loader', () => {
    const schema = JSON.parse(documents.get('config.schema.json') ?? '{}') as {
      properties: { defaults: { properties: Record<string, object> }; credentials: { additionalProperties: object } };
    };
    for (const name of LIMIT_NAMES) {
      const { min, max } = LIMIT_TABLE[name];
      expect(schema.properties.defaults.properties[name]).toMatchObject({ minimum: min, maximum: max });
    }
    expect(schema.properties.credentials.additionalProperties).toMatchObject({ additionalProperties: false });
  });
});
