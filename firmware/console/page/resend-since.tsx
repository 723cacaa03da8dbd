/** Sends everything again that was kept since a time: after a PACS lost what it had. */
import { useState } from 'preact/hooks';
import { api } from './api.ts';
import { Field } from './field.tsx';
import { formatCount } from './format.ts';
import { Problem } from './problem.tsx';
import { textOf, useForm } from './use-form.ts';

export function ResendSince({ destination }: { readonly destination: string }) {
  const form = useForm();
  const [queued, setQueued] = useState<number | null>(null);
  const send = async (fields: FormData) => {
    // The field is in the time zone of the browser, and so in that of who fills it in.
    const since = new Date(textOf(fields, 'since')).getTime();
    setQueued(null);
    const { objects } = await api.resend(destination, { what: 'since', since });
    setQueued(objects);
  };
  return (
    <details>
      <summary>Send again from a time on</summary>
      <form onSubmit={(event) => form.submit(event, send)}>
        <Field
          scope={destination}
          name="since"
          label="Everything kept since"
          hint="What the destination has already is sent once more"
          input={{ type: 'datetime-local' }}
        />
        <Problem refusal={form.refusal} />
        <button type="submit" class="quiet" disabled={form.busy}>
          Send again
        </button>
        <p class="good-text" role="status">
          {queued !== null &&
            `${formatCount(queued)} ${queued === 1 ? 'object waits' : 'objects wait'} again`}
        </p>
      </form>
    </details>
  );
}
