/** One large number with what it counts; stands in a `dl` of figures. */
import { formatCount } from './format.ts';

interface FigureProps {
  readonly term: string;
  readonly value: number;
  readonly bad?: boolean;
}

export function Figure({ term, value, bad = false }: FigureProps) {
  return (
    <div>
      <dt>{term}</dt>
      <dd class={bad ? 'large bad-text' : 'large'}>{formatCount(value)}</dd>
    </div>
  );
}
