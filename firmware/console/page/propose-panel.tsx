/** What an administrator proposes for the hospital, or brings that offline keys have signed. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { ConsortiumView, ProposeBody } from '../../src/http/consortium-contract.ts';
import { api } from './api.ts';
import { Panel } from './panel.tsx';
import { Problem } from './problem.tsx';
import { textOf, useForm } from './use-form.ts';

interface ProposePanelProps {
  readonly consortium: ConsortiumView;
  readonly onActed: () => void;
}

export function ProposePanel({ consortium, onActed }: ProposePanelProps) {
  const { members, parameters } = consortium;
  return (
    <Panel id="propose" title="Propose" note="counts as this hospital’s approval">
      <Proposing
        title="Admit a hospital"
        onActed={onActed}
        proposalOf={(fields) => ({
          kind: 'admit',
          record: textOf(fields, 'record').trim(),
          validator: fields.has('validator'),
        })}
      >
        <TextField
          name="record"
          label="Its record"
          hint="The file enrolment.json of its box. Compare the identity key and the keys of the offline root with its people by telephone."
        />
        <label class="whole">
          <input type="checkbox" name="validator" defaultChecked /> It is to validate from the next epoch on
        </label>
      </Proposing>
      <Proposing
        title="Remove a hospital"
        onActed={onActed}
        proposalOf={(fields) => ({ kind: 'remove', institution: textOf(fields, 'institution') })}
      >
        <div class="field">
          <label for="field-remove-institution">Hospital</label>
          <select id="field-remove-institution" name="institution">
            {members.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </div>
      </Proposing>
      <Proposing
        title="Change who validates"
        onActed={onActed}
        proposalOf={(fields) => changedValidators(members, fields)}
      >
        <fieldset class="whole choices">
          <legend>From the next epoch on</legend>
          {members.map(({ id, name, validatorNext }) => (
            <label key={id}>
              <input type="checkbox" name="validates" value={id} defaultChecked={validatorNext} />
              <span>{name}</span>
            </label>
          ))}
        </fieldset>
      </Proposing>
      <Proposing
        title="Change the parameters"
        onActed={onActed}
        proposalOf={(fields) => ({ kind: 'parameters', parameters: textOf(fields, 'parameters').trim() })}
      >
        <TextField
          name="parameters"
          label="All parameters"
          hint="From the next epoch on; times in milliseconds. A day is 86400000."
          value={JSON.stringify(JSON.parse(parameters), null, 2)}
        />
      </Proposing>
      <SignedDocument onActed={onActed} />
    </Panel>
  );
}

function changedValidators(members: ConsortiumView['members'], fields: FormData): ProposeBody {
  const chosen = fields.getAll('validates');
  const isChosen = (id: string) => chosen.includes(id);
  return {
    kind: 'validators',
    add: members.filter(({ id, validatorNext }) => isChosen(id) && !validatorNext).map(({ id }) => id),
    remove: members.filter(({ id, validatorNext }) => !isChosen(id) && validatorNext).map(({ id }) => id),
  };
}

interface FormShellProps {
  readonly title: string;
  readonly verb: string;
  readonly send: (fields: FormData) => Promise<{ readonly kind: 'done' | 'waiting' }>;
  readonly onActed: () => void;
  readonly children: ComponentChildren;
}

/** A form behind its title, empty again after it was sent. */
function FormShell({ title, verb, send, onActed, children }: FormShellProps) {
  const form = useForm();
  const [sent, setSent] = useState({ count: 0, words: '' });
  const submit = async (fields: FormData) => {
    const { kind } = await send(fields);
    const words = kind === 'done' ? 'It stands on the ledger.' : 'It waits for a block of the ledger.';
    setSent({ count: sent.count + 1, words });
    onActed();
  };
  return (
    <details>
      <summary>{title}</summary>
      <form key={sent.count} class="grid-form" onSubmit={(event) => form.submit(event, submit)}>
        {children}
        <div class="whole">
          <Problem refusal={form.refusal} />
          <div class="buttons">
            <button type="submit" class="primary" disabled={form.busy}>
              {verb}
            </button>
          </div>
          <p class="muted small" role="status">
            {form.refusal === null && sent.words}
          </p>
        </div>
      </form>
    </details>
  );
}

interface ProposingProps {
  readonly title: string;
  readonly proposalOf: (fields: FormData) => ProposeBody;
  readonly onActed: () => void;
  readonly children: ComponentChildren;
}

function Proposing({ title, proposalOf, onActed, children }: ProposingProps) {
  return (
    <FormShell
      title={title}
      verb="Propose"
      send={(fields) => api.propose(proposalOf(fields))}
      onActed={onActed}
    >
      {children}
    </FormShell>
  );
}

function SignedDocument({ onActed }: { readonly onActed: () => void }) {
  return (
    <FormShell
      title="Bring what an offline root has signed"
      verb="Bring to the ledger"
      send={(fields) => api.bringDocument(textOf(fields, 'document').replaceAll(/\s/g, ''))}
      onActed={onActed}
    >
      <TextField
        name="document"
        label="Signed document"
        hint="What the command hilum-root combine has written: the replacement of a dead box, of this or another hospital."
      />
    </FormShell>
  );
}

interface TextFieldProps {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly value?: string;
}

function TextField({ name, label, hint, value = '' }: TextFieldProps) {
  const id = `field-${name}`;
  return (
    <div class="field whole">
      <label for={id}>{label}</label>
      <textarea
        id={id}
        name={name}
        required
        rows={6}
        autocomplete="off"
        spellcheck={false}
        aria-describedby={`${id}-hint`}
        defaultValue={value}
      />
      <p class="hint" id={`${id}-hint`}>
        {hint}
      </p>
    </div>
  );
}
