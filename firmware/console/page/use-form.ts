/** A form that is being sent, and what came of it. */
import { useState } from 'preact/hooks';
import { toRefusal, type Refusal } from './problem.tsx';

export interface FormState {
  readonly busy: boolean;
  readonly refusal: Refusal | null;
  readonly refuse: (refusal: Refusal) => void;
  readonly submit: (event: Event, send: (fields: FormData) => Promise<void>) => void;
}

export function useForm(): FormState {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const submit = (event: Event, send: (fields: FormData) => Promise<void>) => {
    event.preventDefault();
    if (busy || !(event.currentTarget instanceof HTMLFormElement)) return;
    setBusy(true);
    setRefusal(null);
    send(new FormData(event.currentTarget))
      .catch((error: unknown) => setRefusal(toRefusal(error)))
      .finally(() => setBusy(false));
  };
  return { busy, refusal, refuse: setRefusal, submit };
}

/** The text of a field that the form is known to have. */
export function textOf(fields: FormData, name: string): string {
  const value = fields.get(name);
  return typeof value === 'string' ? value : '';
}
