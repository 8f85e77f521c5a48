import { existsSync } from 'node:fs'
import { defineConfig } from '@playwright/test'

// The real program in a real browser. Run from web/ (npm run e2e, npm run
// screenshots): NODE_PATH there lets these files find Playwright without a
// second installation. `make build` makes the program first.
//
//   CITYCODE_BINARY       another program than bin/citycode
//   CITYCODE_CHROMIUM     another browser than the system's Chromium
//   CITYCODE_E2E_WORKERS  how many browsers at once (default 2), each with a city of its own

/** The system's Chromium; CITYCODE_CHROMIUM names another. */
export const CHROMIUM = process.env['CITYCODE_CHROMIUM'] ??
  ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path)) ?? 'chromium'

/** No sandbox: tests may run as root. The rest keeps Chromium from calling home. */
export const CHROMIUM_FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
  // A name that is not the loopback: there the page is not secure, as over plain HTTP in a network.
  '--host-resolver-rules=MAP insecure.test 127.0.0.1',
]

export default defineConfig({
  outputDir: '../out/e2e',
  fullyParallel: false,
  workers: Number(process.env['CITYCODE_E2E_WORKERS'] ?? 2),
  retries: 0,
  forbidOnly: true,
  // Far beyond what any test needs: a slow machine must not fail one.
  timeout: 240_000,
  expect: { timeout: 30_000 },
  reporter: [['./reporter.ts']],
  use: {
    launchOptions: { executablePath: CHROMIUM, args: CHROMIUM_FLAGS },
    actionTimeout: 30_000,
    navigationTimeout: 60_000,
    screenshot: 'only-on-failure',
  },
  projects: [
    { name: 'e2e', testDir: 'specs' },
    { name: 'screenshots', testDir: 'shots', testMatch: 'readme.spec.ts' },
    // Every page at every size, to look through: npm run screenshots -- --project=sheets
    { name: 'sheets', testDir: 'shots', testMatch: 'sheets.spec.ts', fullyParallel: true },
  ],
})
