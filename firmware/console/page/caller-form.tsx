/** Who a caller is and what it may do: a new one, one that was refused, or one that is changed. */
import type { CallerBody, PermissionName } from '../../src/http/dicom-contract.ts';
import { Field } from './field.tsx';
import { permissionHints, permissionNames, permissionWords } from './permissions.tsx';
import { Problem } from './problem.tsx';
import { textOf, useForm } from './use-form.ts';

interface CallerFormProps {
  /** Makes the fields' ids unique on the page. */
  readonly scope: string;
  /** What is filled in. */
  readonly caller: CallerBody;
  /** What sending it does: "Admit". */
  readonly verb: string;
  readonly send: (caller: CallerBody) => Promise<void>;
  readonly onCancel?: () => void;
}

export function CallerForm({ scope, caller, verb, send, onCancel }: CallerFormProps) {
  const form = useForm();
  const { calledAeTitles, reachedAt } = caller;
  return (
    <form
      class="grid-form"
      onSubmit={(event) => form.submit(event, (fields) => send({ ...callerOf(fields), calledAeTitles }))}
    >
      <Field
        scope={scope}
        name="callingAeTitle"
        label="Calling AE title"
        hint="As the modality calls itself; capitals count"
        input={{ defaultValue: caller.callingAeTitle, maxLength: 16, ...plain }}
      />
      <Field
        scope={scope}
        name="addresses"
        label="Addresses"
        hint="10.1.2.3, 10.1.2.0/24; empty: from anywhere"
        input={{ defaultValue: caller.addresses.join(', '), required: false, ...plain }}
      />
      <Field
        scope={scope}
        name="certificates"
        label="Certificates"
        hint="SHA-256, or CN=name; empty: none is asked for"
        input={{ defaultValue: caller.certificates.join(', '), required: false, ...plain }}
      />
      <Field
        scope={scope}
        name="reachedAt"
        label="Reached at"
        hint="host:port, for commitment results and C-ECHO; may be empty"
        input={{
          defaultValue: reachedAt === null ? '' : `${hostText(reachedAt.host)}:${reachedAt.port}`,
          required: false,
          pattern: '[^\\s]+:[0-9]{1,5}',
          ...plain,
        }}
      />
      <fieldset class="whole choices">
        <legend>It may</legend>
        {permissionNames.map((name) => (
          <Choice key={name} name={name} checked={caller.may.includes(name)} />
        ))}
        <label>
          <input type="checkbox" name="overTls" defaultChecked={reachedAt?.tls === true} />
          <span>
            Be called over TLS<span class="second">where it is reached; with the box’s certificate</span>
          </span>
        </label>
        <label>
          <input type="checkbox" name="mayCorrect" defaultChecked={caller.mayCorrect} />
          <span>
            Correct<span class="second">its objects may correct attributes of what is kept</span>
          </span>
        </label>
      </fieldset>
      <div class="whole">
        <Problem refusal={form.refusal} />
        <div class="buttons">
          <button type="submit" class="primary" disabled={form.busy}>
            {verb}
          </button>
          {onCancel !== undefined && (
            <button type="button" class="quiet" onClick={onCancel}>
              Cancel
            </button>
          )}
        </div>
      </div>
    </form>
  );
}

const plain = { autocomplete: 'off', autocapitalize: 'none', spellcheck: false } as const;

interface ChoiceProps {
  readonly name: PermissionName;
  readonly checked: boolean;
}

function Choice({ name, checked }: ChoiceProps) {
  return (
    <label>
      <input type="checkbox" name="may" value={name} defaultChecked={checked} />
      <span>
        {permissionWords[name]}
        <span class="second">{permissionHints[name]}</span>
      </span>
    </label>
  );
}

function callerOf(fields: FormData): Omit<CallerBody, 'calledAeTitles'> {
  const chosen = fields.getAll('may');
  return {
    callingAeTitle: textOf(fields, 'callingAeTitle').trim(),
    addresses: listOf(textOf(fields, 'addresses')),
    certificates: listOf(textOf(fields, 'certificates')),
    may: permissionNames.filter((name) => chosen.includes(name)),
    mayCorrect: fields.has('mayCorrect'),
    reachedAt: reachedAtOf(textOf(fields, 'reachedAt').trim(), fields.has('overTls')),
  };
}

/** Parted by commas or spaces. */
function listOf(text: string): string[] {
  return text.split(/[\s,;]+/).filter((part) => part !== '');
}

/** An IPv6 address stands in brackets, so that its colons are not taken for the port's. */
const hostText = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** The last colon parts the port from the host; an IPv6 address may stand in brackets. */
function reachedAtOf(text: string, tls: boolean): CallerBody['reachedAt'] {
  if (text === '') return null;
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(colon + 1)), tls };
}
