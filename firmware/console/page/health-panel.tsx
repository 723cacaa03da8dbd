/** What is wrong, since when, what to do; or that everything works. */
import type { HealthView } from '../../src/http/contract.ts';
import { Ago } from './box-time.tsx';
import { formatClockTime } from './format.ts';

export function HealthPanel({ items }: { readonly items: readonly HealthView[] }) {
  return (
    <section
      class={items.length === 0 ? 'health works' : 'health'}
      aria-labelledby="health-title"
      id="health"
    >
      {/* Around the heading, not in it: a status takes its name from no content, and neither would the heading. */}
      <div role="status">
        <h2 id="health-title">
          <span class={items.length === 0 ? 'sign good' : 'sign bad'} aria-hidden="true">
            {items.length === 0 ? '✓' : '!'}
          </span>
          {summary(items.length)}
        </h2>
      </div>
      {items.length > 0 && (
        <ul>
          {items.map((item) => (
            <li key={`${item.code} ${item.subject}`}>
              <p class="health-what">
                <strong>{item.subject}</strong> {item.detail}
              </p>
              <p class="health-since muted">
                Since {formatClockTime(item.since)} (<Ago at={item.since} />) <code>{item.code}</code>
              </p>
              <p class="health-remedy">
                <span class="todo-label">What to do</span> {item.remedy}
              </p>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function summary(problems: number): string {
  if (problems === 0) return 'Everything works';
  return problems === 1 ? 'One thing needs attention' : `${problems} things need attention`;
}
