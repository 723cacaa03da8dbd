/**
 * Headers on every answer. No Strict-Transport-Security: the port speaks nothing but TLS, the header would be ignored
 * under the box's self-signed certificate, and under the hospital's it would reach the host's other ports.
 */
import type { App } from './app.ts';

export const securityHeaders: Readonly<Record<string, string>> = {
  // Nothing inline, nothing from elsewhere.
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // Patient data stays out of the browser's disk cache; the page's own files say otherwise themselves.
  'cache-control': 'no-store',
};

export function addSecurityHeaders(app: App): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(securityHeaders);
  });
}
