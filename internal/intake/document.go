package intake

import (
	"time"

	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/tabular"
)

// DocumentColumns are the columns that say whom a row is about.
func DocumentColumns() []tabular.Column {
	return []tabular.Column{
		{Name: "document_kind", Aliases: []string{"证件类型", "证件种类"}, Required: true},
		{Name: "document_number", Aliases: []string{"证件号码", "证件号", "身份证号", "身份证号码", "公民身份号码"}, Required: true},
	}
}

// documentKinds are the names that departments give the kinds.
var documentKinds = map[string]idnum.Kind{
	"居民身份证": idnum.ResidentID, "身份证": idnum.ResidentID, "公民身份号码": idnum.ResidentID,
	"港澳居民来往内地通行证": idnum.HKMacauPermit, "回乡证": idnum.HKMacauPermit,
	"台湾居民来往大陆通行证": idnum.TaiwanPermit, "台胞证": idnum.TaiwanPermit,
	"护照":         idnum.Passport,
	"外国人永久居留身份证": idnum.ForeignPR, "外国人永久居留证": idnum.ForeignPR,
}

// Document reads whom a row is about; reason is the code of why it can't.
func Document(fields map[string]string, o idnum.Options) (d idnum.Document, notes []string, reason string) {
	kind := fields["document_kind"]
	if k, known := documentKinds[kind]; known {
		kind = string(k)
	}
	d, found, err := idnum.Parse(kind, fields["document_number"], o)
	if err != nil {
		return d, nil, fault.CodeOf(err)
	}
	for _, n := range found {
		notes = append(notes, string(n))
	}
	return d, notes, ""
}

// IDOptions are the options for numbers read now: no birth date may lie ahead
// of the day in China, wherever the server stands.
func IDOptions(now time.Time, allowSample bool) idnum.Options {
	return idnum.Options{AllowSample: allowSample, Now: now.In(time.FixedZone("UTC+8", 8*60*60))}
}
