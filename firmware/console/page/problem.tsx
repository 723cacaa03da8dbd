/** What went wrong with something that the person just did, and what to do about it. */
import { ApiError } from './api.ts';

export interface Refusal {
  readonly message: string;
  readonly remedy: string;
}

export function toRefusal(error: unknown): Refusal {
  if (error instanceof ApiError) return { message: sentence(error.message), remedy: error.remedy };
  throw error;
}

/** Announced at once to who cannot see it. */
export function Problem({ refusal }: { readonly refusal: Refusal | null }) {
  return (
    <div role="alert">
      {refusal !== null && (
        <p class="problem">
          <strong>{refusal.message}</strong> {refusal.remedy}
        </p>
      )}
    </div>
  );
}

function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
