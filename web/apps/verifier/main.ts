import { startApp } from '@/shared/app.ts'
import App from './App.vue'
import { unlockSound } from './result/feedback.ts'
import { router } from './routes.ts'
import { en } from './text/en.ts'
import { zh } from './text/zh-CN.ts'

// Browsers let a page sound only after a touch or a key; a context put to sleep wakes the same way.
for (const event of ['pointerdown', 'keydown'] as const) addEventListener(event, unlockSound, { capture: true, passive: true })

startApp({
  session: 'verifier',
  root: App,
  text: { zh, en },
  title: (t, city) => (city ? `${t('title')} · ${city.name}` : t('title')),
  plugins: [router],
})
