package demo

import "strings"

// Parts of names. They are common ones, combined at random: a name that comes
// out may be borne by many real people, and means none of them.
const (
	surnames = "王王王李李李张张张刘刘陈陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"

	maleOld   = "建国军民强明平华伟东志刚永林福贵德生文学保金根宝庆祥春海山成荣"
	femaleOld = "秀英玉兰桂珍凤芳淑华梅霞红丽萍琴云香莲美爱芬娟菊惠月素敏翠"
	maleNew   = "子轩浩宇泽俊豪博文睿晨皓宸梓铭逸凡嘉懿煜祺远航一鸣思成亦辰承景行之"
	femaleNew = "梓涵雨欣诗怡若曦语桐佳琪思颖欣妍可馨静雯晓彤艺菲诺汐沐清婉宁安然知夏"
)

// Characters beyond the basic plane (U+20000 and up), as names do have them:
// each is four bytes of UTF-8 and two units of UTF-16.
const rare = "𫖯𬱖𬍛𪟝𫟹𬘭𬭎𫄧𬬮𬣳𠅤𬸣"

func doubleSurnames() []string {
	return []string{"欧阳", "司马", "上官", "诸葛", "夏侯", "东方", "皇甫", "尉迟", "公孙", "令狐", "端木", "司徒"}
}

// dotted are names of minorities as they are written in Chinese.
func dotted() (given, family []string) {
	return []string{"阿依古丽", "买买提", "古丽娜尔", "努尔兰", "帕丽达", "艾力", "热依汗", "巴特尔", "卓玛", "阿卜杜拉"},
		[]string{"艾合买提", "吐尔逊", "司马义", "阿不都热合曼", "卡德尔", "玉山江", "依明", "肉孜", "库尔班", "赛买提"}
}

func foreign() (given, family []string) {
	return []string{"Anna", "José", "Marie-Claire", "Ravi", "Amélie", "John", "Olga", "Kwame", "Sinéad", "Lukas"},
		[]string{"Müller", "O'Brien", "García Núñez", "Nakamura", "Sørensen", "Okafor", "Novák", "Smith", "Dubois", "Rossi"}
}

func (g *generator) pick(chars string) string {
	all := []rune(chars)
	return string(all[g.rand.IntN(len(all))])
}

func (g *generator) one(list []string) string { return list[g.rand.IntN(len(list))] }

// name makes a Chinese name for the i-th resident.
func (g *generator) name(i, birthYear int, male bool) string {
	if i%100 == 73 {
		given, family := dotted()
		return g.one(given) + "·" + g.one(family)
	}
	surname := g.pick(surnames)
	if i%80 == 21 {
		surname = g.one(doubleSurnames())
	}
	pool := givenPool(birthYear, male)
	given := g.pick(pool)
	switch {
	case i%400 == 11:
		given = g.pick(rare)
		if i%800 == 11 {
			given = g.pick(pool) + given
		}
	case g.rand.IntN(100) < 82:
		given += g.pick(pool)
	}
	// Married women of the oldest have their husband's surname before their own.
	if birthYear < 1940 && !male && g.rand.IntN(10) == 0 && !strings.ContainsAny(given, rare) {
		return g.pick(surnames) + surname + given
	}
	return surname + given
}

func givenPool(birthYear int, male bool) string {
	switch {
	case male && birthYear < 1985:
		return maleOld
	case male:
		return maleNew
	case birthYear < 1985:
		return femaleOld
	}
	return femaleNew
}

func (g *generator) foreignName() string {
	given, family := foreign()
	return g.one(given) + " " + g.one(family)
}
