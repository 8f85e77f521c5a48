import 'vant/es/pull-refresh/style/index.mjs'
import { startApp } from '@/shared/app.ts'
import App from './App.vue'
import { router } from './router.ts'
import { en } from './text/en.ts'
import { zh } from './text/zh-CN.ts'

startApp({
  session: 'resident',
  root: App,
  text: { zh, en },
  title: (t) => {
    const page = router.currentRoute.value.meta['title']
    return typeof page === 'string' ? `${t(page)} · ${t('app.name')}` : t('app.name')
  },
  plugins: [router],
})
