package models

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Page is a part of a list.
type Page struct {
	Number  int // from 1
	PerPage int // rows a page; 0 means 20, more than 100 is cut to 100
	// Descending puts the newest first.
	Descending bool
}

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
	return (p.Number - 1) * p.limit()
}

func first[T any](q *gorm.DB) (*T, error) {
	var row T
	if err := q.Limit(1).Take(&row).Error; err != nil {
		return nil, translate(err)
	}
	return &row, nil
}

// list returns one page and the number of all rows.
func list[T any](q *gorm.DB, by string, p Page) ([]*T, int64, error) {
	var total int64
	q = q.Session(&gorm.Session{})
	if err := q.Count(&total).Error; err != nil {
		return nil, 0, err
	}
	var rows []*T
	order := clause.OrderByColumn{Column: clause.Column{Name: by}, Desc: p.Descending}
	err := q.Order(order).Limit(p.limit()).Offset(p.offset()).Find(&rows).Error
	return rows, total, err
}
