/** One labelled input with its hint. */
import type { InputHTMLAttributes } from 'preact';

interface FieldProps {
  readonly name: string;
  /** Where a page has several fields of this name: makes their ids unique. */
  readonly scope?: string;
  readonly label: string;
  readonly hint?: string;
  readonly input?: InputHTMLAttributes<HTMLInputElement>;
}

export function Field({ name, scope = '', label, hint, input = {} }: FieldProps) {
  const id = `field-${scope}${name}`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        required
        {...input}
        {...(hint === undefined ? {} : { 'aria-describedby': `${id}-hint` })}
      />
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}
