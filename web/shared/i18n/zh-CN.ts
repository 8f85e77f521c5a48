// Words that every app uses. The Chinese text is the original; en.ts is typed against it.
export const zh = {
  ui: {
    skip: '跳到正文',
    back: '返回',
    close: '关闭',
    cancel: '取消',
    confirm: '确定',
    retry: '重试',
    loading: '正在加载…',
    more: '查看更多',
    language: '语言',
    typeSize: '字号',
    typeNormal: '标准',
    typeLarge: '大字',
    sample: '演示数据：人物均为虚构',
    home: '首页',
    nav: '主导航',
  },
  color: {
    green: '绿码',
    yellow: '黄码',
    red: '红码',
    none: '暂无状态',
  },
  shape: {
    green: '绿色，圆形对勾',
    yellow: '黄色，三角叹号',
    red: '红色，八边形横杠',
    none: '灰色，方形横线',
  },
  document: {
    resident_id: '居民身份证',
    hk_macau_permit: '港澳居民来往内地通行证',
    taiwan_permit: '台湾居民来往大陆通行证',
    passport: '护照',
    foreign_pr: '外国人永久居留身份证',
  },
  failure: {
    offline: { title: '连不上网络', text: '请检查手机网络，连上后会自动重试。' },
    slow: { title: '网络有点慢', text: '服务器暂时没有应答，请稍后重试。' },
    aborted: { title: '已取消', text: '您可以重新操作。' },
    signed_out: { title: '请重新登录', text: '为了安全，登录已失效。' },
    refused: { title: '暂不能办理', text: '您没有这项服务的权限，或内容有变化。' },
    busy: { title: '操作太频繁', text: '请等几秒再试。' },
    broken: { title: '服务暂时不可用', text: '我们正在恢复，请稍后重试。' },
  },
  offline: {
    since: '网络不通，自 {time} 起',
    retrying: '正在自动重连',
    back: '网络已恢复',
  },
  when: {
    today: '今天 {time}',
    yesterday: '昨天 {time}',
    day: '{day} {time}',
  },
}

export type SharedText = typeof zh
