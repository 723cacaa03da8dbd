/** Text that is meant to be taken elsewhere, with a button that does so. */
import { useState } from 'preact/hooks';

interface CopyTextProps {
  readonly text: string;
  /** What the text is, for who cannot see it: "Copy the command". */
  readonly label: string;
}

type Copied = 'not-yet' | 'copied' | 'refused';

export function CopyText({ text, label }: CopyTextProps) {
  const [copied, setCopied] = useState<Copied>('not-yet');
  const copy = () => {
    navigator.clipboard.writeText(text).then(
      () => setCopied('copied'),
      // The browser may forbid it; the text can still be selected by hand.
      () => setCopied('refused'),
    );
  };
  return (
    <div class="copy">
      <code tabIndex={0} role="textbox" aria-readonly="true" aria-multiline="true" aria-label={label}>
        {text}
      </code>
      <button type="button" class="quiet" onClick={copy} aria-label={`Copy: ${label}`}>
        Copy
      </button>
      <span class="copied" role="status">
        {copied === 'copied' && 'Copied'}
        {copied === 'refused' && 'Select the text and copy it'}
      </span>
    </div>
  );
}
