import type { BrowserContext } from '@playwright/test'

/**
 * Watches every page of a test for what no page may ever do: ask outside, break the content security
 * policy, throw, write an error to the console, or meet an answer of 500 or above.
 */
export class Guard {
  private readonly found: string[] = []
  private networkMayFail = false
  private readonly allowed: RegExp[] = []

  /** The test takes the network away or is answered with refusals: the browser's notes on that are no fault. */
  expectNetworkFailures(): void {
    this.networkMayFail = true
  }

  /** Something that the test provokes; matched against the whole finding. */
  allow(finding: RegExp): void {
    this.allowed.push(finding)
  }

  async watch(context: BrowserContext, origins: () => string[]): Promise<void> {
    await context.exposeBinding('e2eViolation', (_source, text: string) => this.add(`content security policy: ${text}`))
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        const { e2eViolation } = window as unknown as { e2eViolation: (text: string) => void }
        e2eViolation(`${event.violatedDirective} blocked ${event.blockedURI} on ${event.documentURI}`)
      })
    })
    context.on('request', (request) => {
      const url = new URL(request.url())
      if (url.protocol === 'data:' || url.protocol === 'blob:') return
      if (!origins().includes(url.origin)) this.add(`outside request: ${request.method()} ${request.url()}`)
    })
    context.on('response', (response) => {
      if (response.status() >= 500) this.add(`answer ${response.status()}: ${response.request().method()} ${response.url()}`)
    })
    context.on('weberror', (error) => this.add(`page error: ${error.error().stack ?? error.error().message}`))
    context.on('console', (message) => {
      if (message.type() !== 'error' && !(message.type() === 'warning' && /\[Vue|\[intlify|i18n/i.test(message.text()))) return
      // The second: the QR decoder was on its way when the network went.
      if (this.networkMayFail && /^Failed to load resource|wasm|ArrayBuffer instantiation/.test(message.text())) return
      this.add(`console ${message.type()}: ${message.text()} (${message.location().url})`)
    })
  }

  private add(finding: string): void {
    this.found.push(finding)
  }

  get findings(): string[] {
    return this.found.filter((finding) => !this.allowed.some((allowed) => allowed.test(finding)))
  }
}
