package demo

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/status"
)

// People invents n residents, the same ones each time.
func People(n int, now time.Time) ([]person.Record, []Status) {
	r := rand.New(rand.NewPCG(1, 2))
	surnames, given := []rune("王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗"), []rune("伟芳娜敏静强磊军洋勇艳杰涛明超霞平刚桂文辉玲红")
	people, statuses := make([]person.Record, n), make([]Status, n)
	for i := range n {
		birth := now.AddDate(-1-r.IntN(95), 0, -r.IntN(365))
		first := fmt.Sprintf("310000%s%03d", birth.Format("20060102"), 200+i%800)
		name := string(surnames[r.IntN(len(surnames))]) + string(given[r.IntN(len(given))])
		if r.IntN(3) > 0 {
			name += string(given[r.IntN(len(given))])
		}
		people[i] = person.Record{Name: name, Document: idnum.Document{Kind: idnum.ResidentID, Number: first + string(idnum.CheckDigit(first))},
			Phone: fmt.Sprintf("1991%07d", i), BirthDate: birth.Format(time.DateOnly)}
		statuses[i] = Status{Color: status.Green}
		switch x := r.IntN(1000); {
		case x < 1:
			statuses[i] = Status{Color: status.Red, Reason: "positive_test", Ago: time.Duration(r.IntN(100)) * time.Hour}
		case x < 4:
			statuses[i] = Status{Color: status.Yellow, Reason: "close_contact", Ago: time.Duration(r.IntN(100)) * time.Hour}
		}
	}
	return people, statuses
}
