// The start page's words. The Chinese text is the original; en.ts is typed against it.
export const zh = {
  home: {
    name: '城市码',
    named: '{city}城市码',
    lead: '一人一码，一扫即知',
    text: '市民亮码，核验人扫码，只看到办事必需的信息。',
    points: {
      live: { title: '一分钟一码', text: '每个码只用一分钟，过时的截图和照片不能核验。' },
      least: { title: '最少够用', text: '姓名和号码默认隐去，场景需要多少才显示多少。' },
      record: { title: '谁看过都知道', text: '每次扫码都有记录，改动会被发现，本人随时可查。' },
    },
    demo: {
      title: '选一个人物，马上试试',
      text: '这是演示环境，人物和数据都是虚构的。想看完整过程：先用一部手机亮码，再用另一部手机扫码。',
      resident: '进入亮码',
      verifier: '进入扫码',
      go: '以{name}登录',
      starting: '正在登录…',
      seeding: '正在准备演示数据，很快就好…',
    },
    start: {
      resident: { title: '市民亮码', text: '打开您的城市码，交给核验人扫描。', go: '打开城市码' },
      verifier: { title: '核验人', text: '获得授权的核验人在这里扫码。', go: '打开扫码' },
      api: { title: '开发接口', text: '为接入的单位和设备提供的接口文档。', go: '查看接口' },
    },
    how: {
      title: '怎样登录',
      text: '现在由工作人员登记市民信息，本人登录即将开放。',
      steps: ['现在：工作人员登记市民信息', '即将开放：本人实名注册，绑定通行密钥', '以后：用手机的指纹或面容登录，不用记密码'],
      call: '咨询电话 {hotline}',
    },
    docs: '接口文档',
    version: '版本 {version}',
  },
}

export type HomeText = typeof zh
