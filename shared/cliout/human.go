package cliout

import (
	"fmt"
	"strconv"
	"time"
)

// HumanSize is a size in bytes for people: decimal units, three significant
// digits ("0 B", "4.29 MB", "222 MB").
func HumanSize(bytes int64) string {
	units := [...]string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	size, unit := float64(bytes), 0
	// 999.5 is where three digits round up to the next unit's 1.
	for (size >= 999.5 || size <= -999.5) && unit < len(units)-1 {
		size /= 1000
		unit++
	}
	return strconv.FormatFloat(size, 'g', 3, 64) + " " + units[unit]
}

// Ago is how long before now t was: "2 minutes ago". The zero time is "N/A".
func Ago(t time.Time) string {
	if t.IsZero() {
		return "N/A"
	}
	return HumanDuration(time.Since(t)) + " ago"
}

// HumanDuration is a duration for people, in its largest unit: "Less than a
// second", "About an hour", "3 weeks".
func HumanDuration(d time.Duration) string {
	const day = 24
	seconds, minutes, hours := int(d.Seconds()), int(d.Minutes()), int(d.Hours()+0.5)
	switch {
	case seconds < 1:
		return "Less than a second"
	case seconds == 1:
		return "1 second"
	case seconds < 60:
		return fmt.Sprintf("%d seconds", seconds)
	case minutes == 1:
		return "About a minute"
	case minutes < 60:
		return fmt.Sprintf("%d minutes", minutes)
	case hours == 1:
		return "About an hour"
	case hours < 2*day:
		return fmt.Sprintf("%d hours", hours)
	case hours < 14*day:
		return fmt.Sprintf("%d days", hours/day)
	case hours < 60*day:
		return fmt.Sprintf("%d weeks", hours/day/7)
	case hours < 2*365*day:
		return fmt.Sprintf("%d months", hours/day/30)
	}
	return fmt.Sprintf("%d years", int(d.Hours())/day/365)
}
