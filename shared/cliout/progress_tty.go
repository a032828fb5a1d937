package cliout

import (
	"fmt"
	"slices"
	"strings"
)

// ttyProgress shows each thing as a bar.
type ttyProgress struct {
	live *Live
	bars []*ttyBar
}

type ttyBar struct {
	p              *ttyProgress
	row            *Row
	label          string
	current, total int64
}

func (p *ttyProgress) Start(kind, id string, total int64) Bar {
	if algorithm, hex, ok := strings.Cut(id, ":"); ok && algorithm == "sha256" {
		id = hex
	}
	b := &ttyBar{p: p, label: label(kind, Shorten(id, 12)), total: total}
	row := p.live.Add(b.lines)
	p.live.Update(func() {
		b.row = row
		p.bars = append(p.bars, b)
	})
	return b
}

func (p *ttyProgress) Say(line string) { p.live.Say(line) }

func (p *ttyProgress) Done() {
	var bars []*ttyBar
	p.live.Update(func() { bars, p.bars = p.bars, nil })
	for _, b := range bars {
		b.row.End(b.lines)
	}
}

func (b *ttyBar) Add(n int64) { b.p.live.Update(func() { b.current += n }) }

func (b *ttyBar) Finish(err error) {
	b.p.live.Update(func() {
		b.p.bars = slices.DeleteFunc(b.p.bars, func(other *ttyBar) bool { return other == b })
	})
	state := "done"
	if err != nil {
		state = "failed"
	}
	b.row.End(func(int) []string { return []string{b.label + " " + state} })
}

// lines is the bar in at most columns-1 characters.
func (b *ttyBar) lines(columns int) []string {
	if b.total <= 0 {
		return []string{Shorten(fmt.Sprintf("%s %s", b.label, HumanSize(b.current)), columns-1)}
	}
	amount := fmt.Sprintf("%s / %s", HumanSize(b.current), HumanSize(b.total))
	room := columns - len(b.label) - len(amount) - 5
	if room < 10 {
		return []string{Shorten(b.label+" "+amount, columns-1)}
	}
	room = min(room, 60)
	filled := min(room, int(int64(room)*b.current/b.total))
	return []string{fmt.Sprintf("%s [%s%s] %s", b.label, strings.Repeat("=", filled), strings.Repeat("-", room-filled), amount)}
}
