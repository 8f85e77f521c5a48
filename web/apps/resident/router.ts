import { createRouter, createWebHashHistory } from 'vue-router'
import CodePage from './code/CodePage.vue'

/** Pages by fragment: the server knows one address, and no page's name reaches its logs. */
export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    { path: '/', component: CodePage },
    { path: '/why', component: () => import('./status/WhyPage.vue'), meta: { title: 'why.title' } },
    { path: '/looks', component: () => import('./looks/LooksPage.vue'), meta: { title: 'looks.title' } },
    { path: '/me', component: () => import('./me/MePage.vue'), meta: { title: 'me.title' } },
    { path: '/:rest(.*)', redirect: '/' },
  ],
})
