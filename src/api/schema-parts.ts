/**
 * The pieces that schemas are made of.
 *
 * Rule: no member that is not named is admitted.
 */
export type Schema = Readonly<Record<string, unknown>>;

export const TEXT: Schema = { type: 'string' };
export const MOMENT: Schema = { type: 'string', format: 'date-time' };
export const MOMENT_OR_NULL: Schema = { type: ['string', 'null'], format: 'date-time' };
export const TEXT_OR_NULL: Schema = { type: ['string', 'null'] };
export const FLAG: Schema = { type: 'boolean' };
export const COUNT: Schema = { type: 'integer' };
export const COUNT_OR_NULL: Schema = { type: ['integer', 'null'] };
export const TEXTS: Schema = { type: 'array', items: TEXT };

export function object(properties: Record<string, Schema>, required?: readonly string[]): Schema {
  return { type: 'object', properties, additionalProperties: false, ...(required === undefined ? {} : { required }) };
}

export function nullable(schema: Schema): Schema {
  return { ...schema, type: ['object', 'null'] };
}
