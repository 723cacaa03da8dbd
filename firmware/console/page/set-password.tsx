/** The password that the box made is for one login: here its owner sets one that nobody else knows. */
import { Field } from './field.tsx';
import { Problem } from './problem.tsx';
import { Shield } from './shield.tsx';
import { textOf, useForm } from './use-form.ts';

interface SetPasswordProps {
  readonly account: string;
  /** What was typed at the login; empty after a reload. */
  readonly current: string;
  readonly charactersMin: number;
  readonly onChange: (current: string, next: string) => Promise<void>;
}

export function SetPassword({ account, current, charactersMin, onChange }: SetPasswordProps) {
  const form = useForm();
  const newPassword = { type: 'password', autocomplete: 'new-password', minLength: charactersMin } as const;
  const send = async (fields: FormData) => {
    const next = textOf(fields, 'next');
    if (next !== textOf(fields, 'repeated')) {
      form.refuse({ message: 'The two passwords differ.', remedy: 'Type the new password again, twice.' });
      return;
    }
    await onChange(current === '' ? textOf(fields, 'current') : current, next);
  };
  return (
    <Shield
      title="Set your password"
      lead={`The password of ${account} was made by the box and serves for this one login.`}
    >
      <form onSubmit={(event) => form.submit(event, send)}>
        <input type="text" name="username" value={account} autocomplete="username" hidden readOnly />
        {current === '' && (
          <Field
            name="current"
            label="One-time password"
            input={{ type: 'password', autocomplete: 'current-password' }}
          />
        )}
        <Field
          name="next"
          label="New password"
          hint={`At least ${charactersMin} characters. A few words in a row are easy to keep in mind.`}
          input={{ ...newPassword, autofocus: true }}
        />
        <Field name="repeated" label="New password again" input={newPassword} />
        <Problem refusal={form.refusal} />
        <button type="submit" class="primary wide" disabled={form.busy}>
          {form.busy ? 'Setting …' : 'Set password'}
        </button>
      </form>
    </Shield>
  );
}
