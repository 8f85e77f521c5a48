import type { FullConfig, FullResult, Reporter, Suite, TestCase, TestError, TestResult } from '@playwright/test/reporter'

/** One line a test, failures in full at the end, and as the very last line "N passed, N failed". */
export default class Counts implements Reporter {
  private root: Suite | undefined
  /** What broke outside any test, such as a file that doesn't compile. */
  private readonly broken: string[] = []
  private readonly failures: string[] = []

  printsToStdio(): boolean {
    return true
  }

  onBegin(_config: FullConfig, root: Suite): void {
    this.root = root
  }

  onStdOut(chunk: string | Buffer): void {
    process.stdout.write(chunk)
  }

  onStdErr(chunk: string | Buffer): void {
    process.stderr.write(chunk)
  }

  onTestEnd(test: TestCase, result: TestResult): void {
    const mark = result.status === 'skipped' ? '-' : test.ok() ? '✓' : '✗'
    console.log(`  ${mark} ${name(test)} (${(result.duration / 1000).toFixed(1)} s)`)
    if (test.ok()) return
    const errors = result.errors.map((error) => error.stack ?? error.message ?? String(error.value))
    const pictures = result.attachments.flatMap((file) => (file.path ? [file.path] : []))
    this.failures.push([`✗ ${name(test)}`, `  ${test.location.file}:${test.location.line}`, ...errors, ...pictures.map((path) => `  see ${path}`)].join('\n'))
  }

  onError(error: TestError): void {
    this.broken.push(error.stack ?? error.message ?? String(error.value))
  }

  onEnd(result: FullResult): void {
    const tests = this.root?.allTests() ?? []
    const ran = tests.filter((test) => test.results.length > 0)
    const skipped = ran.filter((test) => test.outcome() === 'skipped').length
    const passed = ran.filter((test) => test.ok()).length - skipped
    // A test that never ran has failed.
    const failed = tests.length - passed - skipped + this.broken.length
    const notRun = tests.filter((test) => test.results.length === 0).map((test) => `✗ did not run: ${name(test)}`)
    for (const text of [...this.failures, ...notRun, ...this.broken]) console.log(`\n${text}`)
    if (result.status === 'interrupted' || result.status === 'timedout') console.log(`\nthe run was ${result.status}`)
    console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  }
}

function name(test: TestCase): string {
  return test.titlePath().filter(Boolean).slice(2).join(' › ')
}
