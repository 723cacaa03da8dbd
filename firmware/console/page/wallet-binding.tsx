/** Reception: binds a patient's wallet to the local patient ID by a ticket that serves once. */
import { useContext, useState } from 'preact/hooks';
import type { TicketAnswer, TicketBody } from '../../src/http/contract.ts';
import { api } from './api.ts';
import { BoxTime } from './box-time.tsx';
import { CopyText } from './copy-text.tsx';
import { Field } from './field.tsx';
import { formatSpan } from './format.ts';
import { Panel } from './panel.tsx';
import { Problem } from './problem.tsx';
import { textOf, useForm } from './use-form.ts';

interface Issued {
  readonly patient: string;
  readonly ticket: TicketAnswer;
}

export function WalletBinding() {
  const [issued, setIssued] = useState<Issued | null>(null);
  return (
    <Panel id="binding" title="Bind a patient’s wallet">
      {issued === null ? (
        <PatientForm onIssued={setIssued} />
      ) : (
        <IssuedTicket issued={issued} onDone={() => setIssued(null)} />
      )}
    </Panel>
  );
}

function PatientForm({ onIssued }: { readonly onIssued: (issued: Issued) => void }) {
  const form = useForm();
  const send = async (fields: FormData) => {
    const patient = patientOf(fields);
    onIssued({ patient: patient.patientId, ticket: await api.createTicket(patient) });
  };
  const typed = { autocomplete: 'off', spellcheck: false } as const;
  return (
    <form class="grid-form" onSubmit={(event) => form.submit(event, send)}>
      <Field name="patientId" label="Patient ID" input={{ ...typed, maxLength: 64 }} />
      <Field name="issuer" label="Issuer (optional)" input={{ ...typed, maxLength: 64, required: false }} />
      <Field name="family" label="Family name" input={{ ...typed, maxLength: 64 }} />
      <Field name="given" label="Given names" input={{ ...typed, maxLength: 128, required: false }} />
      <Field name="birthDate" label="Birth date" input={{ type: 'date' }} />
      <div class="field">
        <label for="field-sex">Sex</label>
        <select id="field-sex" name="sex" required>
          <option value="">Choose</option>
          <option value="F">Female</option>
          <option value="M">Male</option>
          <option value="O">Other</option>
        </select>
      </div>
      <p class="hint whole">As in the hospital’s records: they must match, or the box refuses.</p>
      <div class="whole">
        <Problem refusal={form.refusal} />
        <button type="submit" class="primary" disabled={form.busy}>
          Make ticket
        </button>
      </div>
    </form>
  );
}

function patientOf(fields: FormData): TicketBody {
  const issuer = textOf(fields, 'issuer').trim();
  const given = textOf(fields, 'given').trim();
  const family = textOf(fields, 'family').trim();
  return {
    patientId: textOf(fields, 'patientId').trim(),
    ...(issuer === '' ? {} : { issuer }),
    name: given === '' ? family : `${family}^${given.replaceAll(/\s+/g, '^')}`,
    birthDate: textOf(fields, 'birthDate').replaceAll('-', ''),
    // The list offers nothing else, and the box checks.
    sex: textOf(fields, 'sex') as TicketBody['sex'],
  };
}

function IssuedTicket({ issued, onDone }: { readonly issued: Issued; readonly onDone: () => void }) {
  const now = useContext(BoxTime);
  const left = issued.ticket.expiresAt - now;
  return (
    <div role="status">
      <p>
        Ticket for patient <strong>{issued.patient}</strong>. The patient takes it into the wallet; it serves
        once
        {left > 0 ? `, for another ${formatSpan(left)}.` : '. It has lapsed: make another.'}
      </p>
      {left > 0 && <CopyText label="the ticket for the wallet" text={issued.ticket.payload} />}
      <button type="button" class="primary" onClick={onDone}>
        Next patient
      </button>
    </div>
  );
}
