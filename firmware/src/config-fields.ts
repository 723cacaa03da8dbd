/** The forms that keys of the configuration have. */
import Type, { type TSchema } from 'typebox';

export const section = <Properties extends Record<string, TSchema>>(
  description: string,
  properties: Properties,
) => Type.Object(properties, { additionalProperties: false, description });

export const host = (description: string) =>
  Type.String({ minLength: 1, maxLength: 253, default: '127.0.0.1', description });
export const port = (description: string) => Type.Integer({ minimum: 0, maximum: 65535, description });
export const milliseconds = (description: string, byDefault: number, minimum = 100) =>
  Type.Integer({
    minimum,
    maximum: 86_400_000,
    default: byDefault,
    description: `${description} Milliseconds.`,
  });

/** PS3.5 table 6.2-1, VR AE: at most 16 characters, no backslash, no controls; spaces around it would not count. */
export const aeTitle = (description: string, byDefault?: string) =>
  Type.String({
    pattern: '^(?! )[\\x20-\\x5b\\x5d-\\x7e]{1,16}(?<! )$',
    description,
    ...(byDefault === undefined ? {} : { default: byDefault }),
  });
