package rules

import (
	"errors"
	"fmt"
)

// Restore puts back what is missing of the rules, in one transaction. What is
// there already stays as it is.
func (s Set) Restore(c *Conn) error {
	held, err := s.Lock(true)
	if err != nil {
		return err
	}
	defer held.Close()
	table := s.read(tableFile)
	if table == nil {
		return nil // nothing was ever made
	}
	whole, err := c.whole(countKind(table, newRule))
	if err != nil {
		return fmt.Errorf("look at the rules: %w", err)
	}
	if whole {
		table = nil
	} else {
		table = afresh(table)
	}
	parts := s.parts()
	all := table
	for _, part := range parts {
		all = append(all[:len(all):len(all)], part...)
	}
	if len(all) == 0 {
		return nil
	}
	if err = c.Commit(all); err == nil {
		return nil
	}
	// Two of the parts may contradict each other, where a command was killed: one
	// by one, so that it costs only those.
	if table != nil {
		if err := c.Commit(table); err != nil {
			return fmt.Errorf("restore the rules: %w", err)
		}
	}
	var errs []error
	for _, part := range parts {
		if err := c.Commit(part); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("restore the rules: %w", errors.Join(errs...))
	}
	return nil
}

// afresh is the table's messages with the chains emptied before rules are added,
// so that it may be sent where some of the rules are there.
func afresh(table []byte) []byte {
	var before, flush, after []byte
	for m := range messages(table) {
		switch m.kind {
		case newRule:
			after = append(after, m.whole...)
		case newChain:
			flush = append(flush, emptyChain(m)...)
			fallthrough
		default:
			before = append(before, m.whole...)
		}
	}
	return append(append(before, flush...), after...)
}
