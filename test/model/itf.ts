/**
 * Traces of the model in the Informal Trace Format (Apalache ADR 015). Of the model's variables only `event` is kept:
 * which box took which input and what it then did. The vectors are such traces, one state a line.
 */

export interface ModelVote {
  readonly kind: 'notarize' | 'nullify' | 'finalize';
  readonly view: number;
  readonly digest: number;
  readonly validator: number;
}

export interface ModelHeader {
  readonly view: number;
  readonly digest: number;
  readonly parentView: number;
  readonly parentDigest: number;
}

export interface ModelCertificate {
  readonly kind: ModelVote['kind'];
  readonly view: number;
  readonly digest: number;
  readonly signers: readonly number[];
}

export interface ModelPoint {
  readonly view: number;
  readonly digest: number;
}

export type ModelInput =
  | { readonly tag: 'Nothing' }
  | { readonly tag: 'Restart' | 'Forget' }
  | {
      readonly tag: 'TakeOrder';
      readonly value: { readonly view: number; readonly floor: number; readonly counts: boolean };
    }
  | { readonly tag: 'ReceiveProposal' | 'Built'; readonly value: ModelHeader }
  | { readonly tag: 'ReceiveVerdict'; readonly value: ModelPoint & { readonly valid: boolean } }
  | { readonly tag: 'ReceiveVote'; readonly value: ModelVote }
  | { readonly tag: 'ReceiveCertificate'; readonly value: ModelCertificate }
  | { readonly tag: 'Timeout'; readonly value: number };

export type ModelEffect =
  | { readonly tag: 'Voted'; readonly value: ModelVote }
  | { readonly tag: 'Certified'; readonly value: ModelCertificate }
  | { readonly tag: 'Finalized' | 'AskedToPropose'; readonly value: ModelPoint }
  | { readonly tag: 'StartedView'; readonly value: number }
  | { readonly tag: 'AskedToValidate'; readonly value: ModelHeader };

/** One step: the box, its input, what it then did and where it stands. */
export interface ModelEvent {
  readonly self: number;
  readonly input: ModelInput;
  readonly effects: readonly ModelEffect[];
  readonly evidence: readonly { readonly kind: string; readonly view: number; readonly validator: number }[];
  readonly view: number;
  readonly final: ModelPoint;
}

export interface ModelTrace {
  readonly events: readonly ModelEvent[];
  /** The same in ITF, without the other variables. */
  readonly itf: string;
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

function isObject(value: Json): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Numbers of the model are small: ITF allows them as they are, which the tool does not make use of. */
function withPlainNumbers(value: Json): Json {
  if (Array.isArray(value)) return value.map((each: Json) => withPlainNumbers(each));
  if (!isObject(value)) return value;
  const big = value['#bigint'];
  if (big !== undefined) return Number(big);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withPlainNumbers(each)]));
}

/** Sets become lists, and so do tuples. */
function withLists(value: Json): Json {
  if (Array.isArray(value)) return value.map((each: Json) => withLists(each));
  if (!isObject(value)) return value;
  const members = value['#set'] ?? value['#tup'];
  if (members !== undefined) return withLists(members);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withLists(each)]));
}

/** @throws Error if it is no ITF trace with the variable `event`, be it within a module (`four::simplex::event`). */
export function parseItf(text: string): ModelTrace {
  const { states } = JSON.parse(text) as { readonly states?: readonly JsonObject[] };
  if (states === undefined) throw new Error('the trace has no states');
  const events = states.map((state) => {
    const [, event] = Object.entries(state).find(([name]) => /(^|::)event$/.test(name)) ?? [];
    if (event === undefined) throw new Error('a state of the trace has no event');
    return withPlainNumbers(event);
  });
  const lines = events.map((event, index) => JSON.stringify({ '#meta': { index }, event }));
  return {
    events: withLists(events) as unknown as readonly ModelEvent[],
    itf: `{"vars":["event"],"states":[\n${lines.join(',\n')}\n]}\n`,
  };
}
