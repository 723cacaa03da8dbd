/** Who may use the console. Administrators add and remove people; auditors see who there is. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import type { AccountView, NewAccount, NewAccountBody, Role } from '../../src/http/contract.ts';
import { api } from './api.ts';
import { Ago } from './box-time.tsx';
import { ConfirmButton } from './confirm-button.tsx';
import { CopyText } from './copy-text.tsx';
import { Field } from './field.tsx';
import { Panel } from './panel.tsx';
import { Problem, toRefusal, type Refusal } from './problem.tsx';
import { textOf, useForm } from './use-form.ts';

const roleWords: Readonly<Record<Role, string>> = {
  administrator: 'Administrator',
  reception: 'Reception (binds wallets)',
  clinician: 'Clinician',
  auditor: 'Auditor (changes nothing)',
};

export function AccountsPanel({ own }: { readonly own: AccountView }) {
  const [accounts, setAccounts] = useState<readonly AccountView[]>([]);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [created, setCreated] = useState<NewAccount | null>(null);
  const administrates = own.role === 'administrator';
  const load = useCallback(async () => {
    try {
      setAccounts(await api.accounts());
      setRefusal(null);
    } catch (error) {
      setRefusal(toRefusal(error));
    }
  }, []);
  useEffect(() => void load(), [load]);

  const remove = async (name: string) => {
    try {
      await api.removeAccount(name);
      await load();
    } catch (error) {
      setRefusal(toRefusal(error));
    }
  };
  const onCreated = (account: NewAccount) => {
    setCreated(account);
    void load();
  };
  return (
    <Panel id="accounts" title="Accounts">
      <Problem refusal={refusal} />
      <ul class="peers">
        {accounts.map((account) => (
          <li key={account.name}>
            <span class="peer-name">
              {account.name}
              <span class="second">
                {account.role}
                {account.lastLoginAt === null ? ', never logged in' : ', last login '}
                {account.lastLoginAt !== null && <Ago at={account.lastLoginAt} />}
              </span>
            </span>
            {administrates && account.name !== own.name && (
              <ConfirmButton
                verb="Remove"
                subject={account.name}
                onConfirm={() => void remove(account.name)}
              />
            )}
          </li>
        ))}
      </ul>
      {administrates &&
        (created === null ? (
          <NewAccountForm onCreated={onCreated} />
        ) : (
          <div role="status">
            <p>
              One-time password of <strong>{created.account.name}</strong>, shown this once:
            </p>
            <CopyText label="the one-time password" text={created.oneTimePassword} />
            <button type="button" class="quiet" onClick={() => setCreated(null)}>
              Done
            </button>
          </div>
        ))}
    </Panel>
  );
}

function NewAccountForm({ onCreated }: { readonly onCreated: (created: NewAccount) => void }) {
  const form = useForm();
  const send = async (fields: FormData) => {
    // The list offers nothing but roles, and the box checks.
    const role = textOf(fields, 'role') as NewAccountBody['role'];
    onCreated(await api.createAccount({ name: textOf(fields, 'accountName').trim(), role }));
  };
  return (
    <details>
      <summary>Add an account</summary>
      <form onSubmit={(event) => form.submit(event, send)}>
        <Field
          name="accountName"
          label="Name"
          hint="Lower-case letters, digits, dots and dashes, e.g. m.weber"
          input={{ autocomplete: 'off', autocapitalize: 'none', spellcheck: false }}
        />
        <div class="field">
          <label for="field-role">Role</label>
          <select id="field-role" name="role" required>
            <option value="">Choose</option>
            {Object.entries(roleWords).map(([role, words]) => (
              <option key={role} value={role}>
                {words}
              </option>
            ))}
          </select>
        </div>
        <Problem refusal={form.refusal} />
        <button type="submit" class="primary" disabled={form.busy}>
          Create account
        </button>
      </form>
    </details>
  );
}
