/** Name and password. */
import { Field } from './field.tsx';
import { Problem } from './problem.tsx';
import { Shield } from './shield.tsx';
import { textOf, useForm } from './use-form.ts';

interface LoginProps {
  readonly institution: string;
  readonly onLogin: (name: string, password: string) => Promise<void>;
}

export function Login({ institution, onLogin }: LoginProps) {
  const form = useForm();
  return (
    <Shield title={institution} lead="Log in to the console of this box.">
      <form
        onSubmit={(event) =>
          form.submit(event, async (fields) =>
            onLogin(textOf(fields, 'name').trim(), textOf(fields, 'password')),
          )
        }
      >
        <Field
          name="name"
          label="Account"
          input={{ autocomplete: 'username', autocapitalize: 'none', spellcheck: false, autofocus: true }}
        />
        <Field
          name="password"
          label="Password"
          input={{ type: 'password', autocomplete: 'current-password' }}
        />
        <Problem refusal={form.refusal} />
        <button type="submit" class="primary wide" disabled={form.busy}>
          {form.busy ? 'Logging in …' : 'Log in'}
        </button>
      </form>
    </Shield>
  );
}
