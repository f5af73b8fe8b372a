package org.arborlog;

import java.time.DateTimeException;
import java.time.LocalDate;

/** A day, counted from 1970-01-01, UTC. */
public record Day(long days) implements Comparable<Day> {
    /** 9999-12-31. */
    public static final long MAX = 2_932_896;

    public Day {
        if (days < 0 || days > MAX) {
            throw ArborlogException.notCanonical("a day is within 1970-01-01 to 9999-12-31");
        }
    }

    /** A day of the calendar. */
    public static Day of(int year, int month, int day) {
        return of(LocalDate.of(year, month, day));
    }

    /** A day of the calendar. */
    public static Day of(LocalDate date) {
        return new Day(date.toEpochDay());
    }

    /** The day of a time, in milliseconds since 1970. */
    public static Day ofMillis(long millis) {
        return new Day(Math.floorDiv(millis, 86_400_000));
    }

    /** Reads YYYY-MM-DD. */
    public static Day parse(String written) {
        try {
            if (written.length() == 10) {
                return of(LocalDate.parse(written));
            }
        } catch (DateTimeException wrong) {
            // It is told below.
        }
        throw ArborlogException.notCanonical("\"" + written + "\" is no day as YYYY-MM-DD");
    }

    @Override
    public int compareTo(Day other) {
        return Long.compare(days, other.days);
    }

    @Override
    public String toString() {
        return LocalDate.ofEpochDay(days).toString();
    }
}
