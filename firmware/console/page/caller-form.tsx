/** Admits a caller: a new one, or one that was refused, with what is known of it filled in. */
import type { CallerBody, PermissionName } from '../../src/http/dicom-contract.ts';
import { api } from './api.ts';
import { Field } from './field.tsx';
import { permissionHints, permissionNames, permissionWords } from './permissions.tsx';
import { Problem } from './problem.tsx';
import { textOf, useForm } from './use-form.ts';

export interface Suggestion {
  readonly callingAeTitle: string;
  readonly addresses: string;
  readonly certificates: string;
  readonly may: readonly PermissionName[];
}

interface CallerFormProps {
  /** Makes the fields' ids unique on the page. */
  readonly scope: string;
  readonly suggestion: Suggestion;
  readonly onAdmitted: () => void;
  readonly onCancel?: () => void;
}

export function CallerForm({ scope, suggestion, onAdmitted, onCancel }: CallerFormProps) {
  const form = useForm();
  const send = async (fields: FormData) => {
    await api.admitCaller(callerOf(fields));
    onAdmitted();
  };
  return (
    <form class="grid-form" onSubmit={(event) => form.submit(event, send)}>
      <Field
        scope={scope}
        name="callingAeTitle"
        label="Calling AE title"
        hint="As the modality calls itself; capitals count"
        input={{ defaultValue: suggestion.callingAeTitle, maxLength: 16, ...plain }}
      />
      <Field
        scope={scope}
        name="addresses"
        label="Addresses"
        hint="10.1.2.3, 10.1.2.0/24; empty: from anywhere"
        input={{ defaultValue: suggestion.addresses, required: false, ...plain }}
      />
      <Field
        scope={scope}
        name="certificates"
        label="Certificates"
        hint="SHA-256, or CN=name; empty: none is asked for"
        input={{ defaultValue: suggestion.certificates, required: false, ...plain }}
      />
      <Field
        scope={scope}
        name="reachedAt"
        label="Reached at"
        hint="host:port, for commitment results and C-ECHO; may be empty"
        input={{ required: false, pattern: '[^\\s]+:[0-9]{1,5}', ...plain }}
      />
      <fieldset class="whole choices">
        <legend>It may</legend>
        {permissionNames.map((name) => (
          <Choice key={name} name={name} checked={suggestion.may.includes(name)} />
        ))}
        <label>
          <input type="checkbox" name="mayCorrect" />
          <span>
            Correct<span class="second">its objects may correct attributes of what is kept</span>
          </span>
        </label>
      </fieldset>
      <div class="whole">
        <Problem refusal={form.refusal} />
        <div class="buttons">
          <button type="submit" class="primary" disabled={form.busy}>
            Admit
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

function callerOf(fields: FormData): CallerBody {
  const chosen = fields.getAll('may');
  return {
    callingAeTitle: textOf(fields, 'callingAeTitle').trim(),
    addresses: listOf(textOf(fields, 'addresses')),
    certificates: listOf(textOf(fields, 'certificates')),
    calledAeTitles: [],
    may: permissionNames.filter((name) => chosen.includes(name)),
    mayCorrect: fields.has('mayCorrect'),
    reachedAt: reachedAtOf(textOf(fields, 'reachedAt').trim()),
  };
}

/** Parted by commas or spaces. */
function listOf(text: string): string[] {
  return text.split(/[\s,;]+/).filter((part) => part !== '');
}

/** The last colon parts the port from the host; an IPv6 address may stand in brackets. */
function reachedAtOf(text: string): CallerBody['reachedAt'] {
  if (text === '') return null;
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(colon + 1)) };
}
