import { createRouter, createWebHashHistory } from 'vue-router'
import CodePage from './code/CodePage.vue'
import LooksPage from './looks/LooksPage.vue'
import MePage from './me/MePage.vue'
import WhyPage from './status/WhyPage.vue'

/**
 * Pages by fragment: the server knows one address, and no page's name reaches its logs.
 * All in the first load: a page must open without a network too, if only to say so.
 */
export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    { path: '/', component: CodePage },
    { path: '/why', component: WhyPage, meta: { title: 'why.title' } },
    { path: '/looks', component: LooksPage, meta: { title: 'looks.title' } },
    { path: '/me', component: MePage, meta: { title: 'me.title' } },
    { path: '/:rest(.*)', redirect: '/' },
  ],
})
