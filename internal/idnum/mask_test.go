package idnum

import (
	"strings"
	"testing"

	"github.com/citycode/citycode/internal/fault"
)

func TestMasks(t *testing.T) {
	for _, c := range []struct {
		name     string
		mask     func(string) string
		in, want string
	}{
		{"a name of none", MaskName, "", ""},
		{"a name of one", MaskName, "张", "张"},
		{"a name of two", MaskName, "张三", "张*"},
		{"a name of three", MaskName, "张小三", "张*三"},
		{"a name of four", MaskName, "欧阳小三", "欧**三"},
		{"a minority name", MaskName, "买买提·吐尔逊", "买*****逊"},
		{"a Latin name", MaskName, "Ana Lee", "A*****e"},
		{"an accented name", MaskName, "Zoe\u0301", "Z*e\u0301"},
		{"ideographs beyond the basic plane", MaskName, "\U00020BB7田\U0002A700", "\U00020BB7*\U0002A700"},
		{"two, the second beyond the basic plane", MaskName, "张\U00020BB7", "张*"},
		{"a variation selector", MaskName, "葛\U000E0100小明", "葛\U000E0100*明"},
		{"one with a variation selector", MaskName, "葛\U000E0100", "葛\U000E0100"},
		{"not UTF-8", MaskName, "a\xffb", "a*b"},

		{"a resident number", MaskNumber, "11010519491231002X", "1****************X"},
		{"a permit", MaskNumber, "H12345678", "H*******8"},
		{"a short number", MaskNumber, "A1234", "A***4"},

		{"a mobile phone", MaskPhone, "13812345678", "138****5678"},
		{"a landline", MaskPhone, "02161234567", "021****4567"},
		{"abroad", MaskPhone, "+85291234567", "+85*****4567"},
		{"eight digits", MaskPhone, "61234567", "612*4567"},
		{"seven digits", MaskPhone, "1234567", "*******"},
		{"no phone", MaskPhone, "", ""},
	} {
		if got := c.mask(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{
		"张三", "欧阳娜娜", "买买提·吐尔逊", "阿卜杜拉•艾山", "迪丽热巴‧迪力木拉提", "John O'Neil-Smith", "José García", "Nguyễn Văn An", "李〇一",
		"\U00020BB7田", "葛\U000E0100明", "張\ue000", "Maria (Ana)", "J. R. Smith III", "X", strings.Repeat("长", 50),
	} {
		if err := ValidName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for why, name := range map[string]string{
		"empty": "", "blank": " ", "blank at the end": "张三 ", "ideographic blank first": "\u3000张三", "51 characters": strings.Repeat("长", 51),
		"line feed": "张\n三", "zero byte": "张\x00三", "not UTF-8": "张\xff", "right-to-left override": "张\u202e三", "zero-width space": "张\u200b三",
		"zero-width joiner": "张\u200d三", "byte-order mark": "\ufeff张三", "markup": "<b>张三</b>", "a formula": "=cmd|x", "a path": "a/b",
		"digits only": "12345", "punctuation only": "·", "hangul filler": "\u3164", "line separator": "张\u2028三", "emoji": "张😀",
	} {
		if err := ValidName(name); fault.CodeOf(err) != "invalid_name" {
			t.Errorf("%s: %v", why, err)
		}
	}
}

func TestPhones(t *testing.T) {
	for in, want := range map[string]string{
		"13812345678": "13812345678", " 138-1234-5678 ": "13812345678", "+86 138 1234 5678": "13812345678", "008613812345678": "13812345678",
		"8613812345678": "13812345678", "１３８１２３４５６７８": "13812345678", "(021) 6123-4567": "02161234567", "+86 21 61234567": "02161234567",
		"+86 021 61234567": "02161234567", "0755-1234567": "07551234567", "+852 9123 4567": "+85291234567", "+1 (212) 555-0100": "+12125550100",
	} {
		if got, err := ValidPhone(in); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
		if again, err := ValidPhone(want); err != nil || again != want {
			t.Errorf("%q again: %q, %v", want, again, err)
		}
	}
	for _, in := range []string{
		"", "110", "12812345678", "1381234567", "138123456789", "138 1234 567x", "+", "+0123456789", "+12345", "+1234567890123456",
		"00123456789", "61234567", "13812345678 ext 9", "12345678901234567890", strings.Repeat("1", 500), "1381234567\x00",
	} {
		if got, err := ValidPhone(in); fault.CodeOf(err) != "invalid_phone" {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func FuzzMasksHideTheMiddle(f *testing.F) {
	for _, s := range []string{"", "张", "张小三", "13812345678", "e\u0301e\u0301e\u0301", "\xff\xfe", "葛\U000E0100明"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := len(characters(s))
		for name, masked := range map[string]string{"name": MaskName(s), "number": MaskNumber(s), "phone": MaskPhone(s)} {
			if got := len(characters(masked)); got != n {
				t.Fatalf("%s: %q has %d characters, masked %q has %d", name, s, n, masked, got)
			}
		}
		if n > 2 {
			for _, c := range characters(MaskName(s))[1 : n-1] {
				if c != "*" {
					t.Fatalf("%q masks to %q", s, MaskName(s))
				}
			}
		}
		if phone, err := ValidPhone(s); err == nil {
			if again, err := ValidPhone(phone); err != nil || again != phone {
				t.Fatalf("%q became %q, which became %q, %v", s, phone, again, err)
			}
		}
		_ = ValidName(s)
	})
}
