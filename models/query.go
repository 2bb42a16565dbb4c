package models

import (
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Page is a part of a list.
type Page struct {
	Number  int // from 1
	PerPage int // rows a page; 0 means 20, more than 100 is cut to 100
	// Descending puts the newest first.
	Descending bool
	// OrderBy is a column to sort by before the id; "" sorts by id alone. Callers give only names they know.
	OrderBy string
	// Keyset continues behind a row instead of counting: no total is made, and the page costs the same
	// wherever it lies. After is the id of the last row of the page before; 0 starts.
	Keyset bool
	After  int64
	// Uncounted makes no total.
	Uncounted bool
}

// CountedRows is how far totals are counted. A list with more rows has no total, as on GitLab.
const CountedRows = 10_000

func (p Page) limit() int {
	switch {
	case p.PerPage <= 0:
		return 20
	case p.PerPage > 100:
		return 100
	}
	return p.PerPage
}

func (p Page) offset() int {
	if p.Number <= 1 {
		return 0
	}
	return (min(p.Number, 1<<24) - 1) * p.limit()
}

// batch is how many rows one statement stores: a statement has a limit of values on PostgreSQL, and SQLite's driver takes
// longer for each the more there are.
func (tx *Tx) batch() int {
	if tx.postgres {
		return 25
	}
	return 25
}

// query gathers conditions.
type query struct{ db *gorm.DB }

func (q *query) where(cond string, args ...any) { q.db = q.db.Where(cond, args...) }

// contains narrows to rows that have the text in one of the columns, whatever its case.
func (q *query) contains(text string, columns ...string) {
	like := "%" + escapeLike(strings.ToLower(text)) + "%"
	conds := make([]string, len(columns))
	args := make([]any, len(columns))
	for i, c := range columns {
		conds[i], args[i] = "lower("+c+") LIKE ? ESCAPE '!'", like
	}
	q.where("("+strings.Join(conds, " OR ")+")", args...)
}

func escapeLike(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s)
}

func first[T any](q *gorm.DB) (*T, error) {
	var row T
	if err := q.Limit(1).Take(&row).Error; err != nil {
		return nil, translate(err)
	}
	return &row, nil
}

// some says whether a query finds a row. It reads one at most.
func some(q *gorm.DB) (bool, error) {
	var found []int
	err := q.Select("1").Limit(1).Scan(&found).Error
	return len(found) > 0, err
}

// list returns one page and the number of all rows, which stops above CountedRows; 0 if nobody counts.
func list[T any](q *gorm.DB, by string, p Page) ([]*T, int64, error) {
	q = q.Session(&gorm.Session{})
	var rows []*T
	if p.Keyset {
		if p.After != 0 && p.Descending {
			q = q.Where(by+" < ?", p.After)
		} else if p.After != 0 {
			q = q.Where(by+" > ?", p.After)
		}
		err := q.Order(order(by, p.Descending)).Limit(p.limit()).Find(&rows).Error
		return rows, 0, err
	}
	var total int64
	if !p.Uncounted {
		counted := q.Session(&gorm.Session{NewDB: true}).Table("(?) AS counted", q.Select("1").Limit(CountedRows+1))
		if err := counted.Count(&total).Error; err != nil {
			return nil, 0, err
		}
		if total <= CountedRows && int64(p.offset()) >= total {
			return rows, total, nil
		}
	}
	if p.OrderBy != "" && p.OrderBy != by {
		q = q.Order(order(p.OrderBy, p.Descending))
	}
	err := q.Order(order(by, p.Descending)).Limit(p.limit()).Offset(p.offset()).Find(&rows).Error
	return rows, total, err
}

func order(by string, descending bool) clause.OrderByColumn {
	return clause.OrderByColumn{Column: clause.Column{Name: by}, Desc: descending}
}
