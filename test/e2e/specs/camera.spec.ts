import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { chromium, type Browser } from '@playwright/test'
import { enter, openScanner, result, showCode } from '../lib/apps.ts'
import { expect, test } from '../lib/test.ts'
import { CHROMIUM, CHROMIUM_FLAGS } from '../playwright.config.ts'

const run = promisify(execFile)

/** A browser of its own, for flags that the shared one must not have. */
async function withBrowser(flags: string[], use: (browser: Browser) => Promise<void>): Promise<void> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...CHROMIUM_FLAGS, ...flags] })
  try {
    await use(browser)
  } finally {
    await browser.close()
  }
}

test('a code before Chromium’s own capture device', async ({ phone }) => {
  const folder = mkdtempSync(join(tmpdir(), 'citycode-film-'))
  try {
    const resident = await showCode(phone, 'resident-green')
    writeFileSync(join(folder, 'screen.png'), await resident.page.screenshot())
    await run('ffmpeg', [
      '-loglevel', 'error', '-loop', '1', '-i', join(folder, 'screen.png'), '-t', '1', '-r', '10',
      '-vf', 'scale=-2:720,pad=1280:720:(ow-iw)/2:0:gray,format=yuvj420p', '-c:v', 'mjpeg', '-q:v', '3', join(folder, 'screen.mjpeg'),
    ])
    await withBrowser([
      '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-video-capture=${join(folder, 'screen.mjpeg')}`,
    ], async (browser) => {
      const verifier = await phone({ as: 'verifier', browser, camera: null, preferences: { returnAfterMs: 0 } })
      await verifier.page.goto(`${verifier.origin}/verify/`)
      await expect(result(verifier.page)).toHaveAttribute('data-admission', 'admit')
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a camera that is denied: what to do, typing meanwhile, and on with it once it is allowed', async ({ phone }) => {
  await withBrowser(['--use-fake-device-for-media-stream'], async (browser) => {
    const { page, context } = await phone({ as: 'verifier', browser, camera: null })
    await page.goto(`${new URL((await phone()).origin).origin}/verify/`)
    const trouble = page.getByTestId('camera-error')
    await expect(trouble).toHaveAttribute('data-kind', 'denied')
    await expect(trouble).toContainText('把“相机”改为“允许”')
    await expect(trouble.getByRole('listitem')).toHaveCount(3)
    await trouble.getByRole('button', { name: '手动输入' }).click()
    await page.getByTestId('manual-input').fill('ABC')
    await page.getByTestId('manual-submit').click()
    await expect(result(page)).toHaveAttribute('data-outcome', 'malformed')
    await page.getByTestId('scan-next').click()
    await context.grantPermissions(['camera'])
    await page.getByTestId('camera-retry').click()
    await expect(trouble).toHaveCount(0)
    await expect(page.getByTestId('scanner-hint')).toHaveAttribute('data-hint', /none|stuck/)
  })
})

test('no camera: a hand scanner and typing still work', async ({ phone, city }) => {
  const { page } = await phone({ as: 'verifier', camera: null })
  await page.goto(`${city.url}/verify/`)
  await expect(page.getByTestId('camera-error')).toHaveAttribute('data-kind', 'none')
  await page.getByTestId('camera-error').getByRole('button', { name: '手动输入' }).click()
  await page.getByTestId('manual-input').fill((await city.mint('resident-green')).code.text)
  await page.getByTestId('manual-submit').click()
  await expect(result(page)).toHaveAttribute('data-admission', 'admit')
})

test('over plain HTTP the page says so and names its secure address', async ({ phone, city, guard }) => {
  guard.allow(/Cross-Origin-Opener-Policy header has been ignored/) // Chromium's note about such an address
  const { page, origin } = await phone({ as: 'verifier', camera: null, origin: city.url.replace('127.0.0.1', 'insecure.test') })
  await page.goto(`${origin}/verify/`)
  const trouble = page.getByTestId('camera-error')
  await expect(trouble).toHaveAttribute('data-kind', 'insecure')
  await expect(trouble.getByRole('link')).toHaveAttribute('href', `${origin.replace('http:', 'https:')}/verify/`)
})

test('a device whose clock is off is told so, and results count all the same', async ({ phone, city }) => {
  const { page } = await openScanner(phone, { clock: new Date(Date.now() - 3 * 3_600_000) })
  await expect(page.getByTestId('clock-note')).toContainText('慢了约 3 小时')
  const answer = await enter(page, (await city.mint('resident-green')).code.text)
  expect(answer).toMatchObject({ outcome: 'valid', admission: 'admit' })
})

test('lamp and camera stay as they were chosen', async ({ phone }) => {
  const { page, camera } = await openScanner(phone, { camera: { devices: ['rear', 'front'], torch: true } })
  await page.getByTestId('torch').click()
  await expect.poll(() => camera.torchIsOn()).toBe(true)
  await page.getByTestId('camera-switch').click()
  await expect.poll(() => camera.opened()).toEqual(['camera-0', 'camera-1'])
  await page.reload()
  await expect(page.getByTestId('scanner-hint')).toHaveAttribute('data-hint', 'none')
  await expect.poll(() => camera.torchIsOn()).toBe(true)
  expect(await camera.opened()).toEqual(['camera-1'])
})

test('a camera without a lamp offers none', async ({ phone }) => {
  const { page } = await openScanner(phone)
  await expect(page.getByTestId('manual-open')).toBeVisible()
  await expect(page.getByTestId('torch')).toHaveCount(0)
  await expect(page.getByTestId('camera-switch')).toHaveCount(0)
})

test('a camera that is unplugged is said, and opened again on request', async ({ phone }) => {
  const { page, camera } = await openScanner(phone)
  await camera.unplug()
  await expect(page.getByTestId('camera-error')).toHaveAttribute('data-kind', 'lost')
  await page.getByTestId('camera-retry').click()
  await expect(page.getByTestId('scanner-hint')).toHaveAttribute('data-hint', 'none')
})

test('nothing found for five seconds: the page says what helps', async ({ phone }) => {
  const { page } = await openScanner(phone, { clock: 'now' })
  await page.clock.fastForward(6_000)
  const hint = page.getByTestId('scanner-hint')
  await expect(hint).toHaveAttribute('data-hint', 'stuck')
  await expect(hint).toContainText('靠近一些')
  await expect(hint).toContainText('擦擦镜头')
  await expect(hint).toContainText('多一点光')
})

test('a decoder that could not be fetched is fetched again', async ({ phone, guard }) => {
  guard.expectNetworkFailures()
  const resident = await showCode(phone, 'resident-green')
  const verifier = await phone({ as: 'verifier', preferences: { returnAfterMs: 0 } })
  let missed = 0
  await verifier.page.route('**/*.wasm', (route) => {
    missed++
    return route.abort()
  })
  await verifier.page.goto(`${verifier.origin}/verify/`)
  await expect.poll(() => missed).toBeGreaterThan(0)
  await verifier.page.unroute('**/*.wasm')
  await expect(verifier.page.getByTestId('scanner-hint')).toHaveAttribute('data-hint', 'none')
  await verifier.camera.see(await resident.page.screenshot())
  await expect(result(verifier.page)).toHaveAttribute('data-admission', 'admit')
})
