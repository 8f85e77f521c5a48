package server

import (
	"sync"
	"testing"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

func TestProcessesThatStartAtOnceInAnEmptyFolderShareItsKeyFile(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			c := CoreConfig{Data: t.TempDir()}
			if engine == db.PostgreSQL {
				c.Database = dbtest.Fresh(t, engine).URL
			}
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					k, err := Open(t.Context(), c)
					if err != nil {
						t.Error(err)
						return
					}
					if err := k.Close(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		})
	}
}
