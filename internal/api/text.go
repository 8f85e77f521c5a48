package api

import (
	"strings"

	"golang.org/x/text/language"
)

// The languages that people are answered in; the first is the default.
const (
	zhCN = "zh-CN"
	en   = "en"
)

var matcher = language.NewMatcher([]language.Tag{language.MustParse(zhCN), language.English})

// languageOf picks zh-CN or en from Accept-Language. The two headers that our
// own pages send are recognised without parsing.
func languageOf(header string) string {
	switch header {
	case "", zhCN:
		return zhCN
	case en:
		return en
	}
	if len(header) > 200 {
		return zhCN
	}
	if _, i := language.MatchStrings(matcher, header); i == 1 {
		return en
	}
	return zhCN
}

type bilingual struct{ zh, en string }

func (b bilingual) in(lang string) string {
	if lang == en {
		return b.en
	}
	return b.zh
}

// titles say what happened and what to do next, by the problem's code.
var titles = map[string]bilingual{
	"not_signed_in":           {"请先登录", "Please sign in first"},
	"token_invalid":           {"登录信息无效，请重新登录", "This sign-in isn't valid. Please sign in again"},
	"token_expired":           {"登录已到期，请刷新或重新登录", "Your sign-in has expired. Please refresh it or sign in again"},
	"session_ended":           {"登录已结束，请重新登录", "You have been signed out. Please sign in again"},
	"not_allowed":             {"您没有这项权限", "You aren't allowed to do this"},
	"step_up_needed":          {"请再次验证身份后继续", "Please confirm it's you, then try again"},
	"suspended":               {"该账号已暂停使用，请拨打服务热线", "This account is suspended. Please call the service hotline"},
	"unknown_scene":           {"没有这个核验场景", "There is no such scene"},
	"unknown_persona":         {"没有这个演示角色", "There is no such demo persona"},
	"unknown_relative":        {"没有找到这位亲属", "No such relative"},
	"no_such_scan":            {"没有找到这条核验记录", "No such scan record"},
	"no_such_photo":           {"没有可显示的照片", "No photo to show"},
	"in_progress":             {"上一次请求还在处理，请稍候", "The first request is still being worked on. Please wait"},
	"idempotency_key_reused":  {"该请求编号已用于另一个请求", "This idempotency key belongs to another request"},
	"invalid_idempotency_key": {"请求编号格式不正确", "The idempotency key must be a UUID"},
	"invalid_cursor":          {"翻页位置无效，请从第一页开始", "The page cursor isn't valid. Please start from the first page"},
	"invalid_limit":           {"每页数量应为 1 到 200", "The limit must be 1 to 200"},
	"invalid_time":            {"时间格式不正确", "The time isn't valid"},
	"invalid_request":         {"请求内容不正确，请检查后重试", "The request isn't right. Please check it and try again"},
	"not_found":               {"没有找到", "Not found"},
	"method_not_allowed":      {"不支持这种请求方式", "This method isn't supported here"},
	"not_acceptable":          {"无法按要求的格式回答", "Can't answer in the format asked for"},
	"request_timeout":         {"请求超时，请重试", "The request took too long to arrive. Please try again"},
	"body_too_large":          {"内容过大", "The request is too large"},
	"unsupported_media_type":  {"请使用 JSON 格式", "Please send JSON"},
	"too_many_requests":       {"操作太频繁，请稍后再试", "Too many requests. Please wait a moment"},
	"overloaded":              {"当前使用人数较多，请稍后再试", "The service is busy. Please try again in a moment"},
	"database_unavailable":    {"服务暂时不可用，请稍后再试", "The service is briefly unavailable. Please try again"},
	"no_live_key":             {"服务暂时不可用，请稍后再试", "The service is briefly unavailable. Please try again"},
	"no_session_key":          {"服务暂时不可用，请稍后再试", "The service is briefly unavailable. Please try again"},
	"took_too_long":           {"服务响应超时，请重试", "The answer took too long. Please try again"},
	"starting":                {"服务正在启动，请稍后再试", "The service is starting. Please try again in a moment"},
	"too_many_watchers":       {"当前使用人数较多，将改为定时刷新", "The service is busy. The page will refresh by the clock instead"},
	"internal":                {"系统出错，请稍后再试", "Something went wrong on our side. Please try again later"},
}

func title(lang, code string) string {
	t, ok := titles[code]
	if !ok {
		t = titles["internal"]
		if strings.HasPrefix(code, "invalid") || strings.HasPrefix(code, "bad") {
			t = titles["invalid_request"]
		}
	}
	return t.in(lang)
}

var colorLabels = map[string]bilingual{
	"green":  {"绿码", "Green"},
	"yellow": {"黄码", "Yellow"},
	"red":    {"红码", "Red"},
}

// reasons say why a colour is, by its reason code. A code that the city's own
// files brought along and that isn't here is shown with the general sentence.
var reasons = map[string]bilingual{
	"no_adverse_record": {"没有影响健康状态的记录", "No record that affects your health status"},
	"close_contact":     {"有密切接触记录，正在健康观察", "A record of close contact; you are under observation"},
	"positive_test":     {"有阳性检测记录", "A record of a positive test"},
	"risk_area":         {"有中高风险地区旅居记录", "A record of a stay in a risk area"},
	"confirmed_case":    {"有确诊记录", "A record of a confirmed case"},
	"imported":          {"由主管部门导入的状态", "Set from the competent authority's file"},
}

var toDo = map[string]bilingual{
	"green":  {"可正常通行，请随身携带手机", "Go about as usual; keep your phone with you"},
	"yellow": {"请按通知完成健康观察；如有疑问请拨打服务热线", "Please complete the observation you were told of. Call the hotline with questions"},
	"red":    {"请留在住处并联系社区；如有疑问请拨打服务热线", "Please stay where you live and contact your community. Call the hotline with questions"},
}

func reasonText(lang, color, code string) string {
	if r, ok := reasons[code]; ok {
		return r.in(lang)
	}
	if color == "green" {
		return reasons["no_adverse_record"].in(lang)
	}
	return reasons["imported"].in(lang)
}
