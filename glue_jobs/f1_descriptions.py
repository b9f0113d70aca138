"""What the tables and columns of Formula 1 mean, with units, as the catalog shows it to readers."""

from collections.abc import Mapping

# A name means the same in every table that has it, unless OWN_COLUMNS says otherwise. The catalog takes 255 characters.
COLUMNS: Mapping[str, str] = {
    "avg_finish": "Mean finishing position of the races in which the driver was classified",
    "avg_places_gained": "Mean of grid minus finishing position of the classified; without starts from the pit lane",
    "best_finish": "Best finishing position in a race",
    "best_grid": "Best starting position; starts from the pit lane are left out",
    "best_ms": "Best time of the three segments, ms",
    "car_number": "Number of the car",
    "circuit_id": "Key of the circuit in the API",
    "circuit_name": "Name of the circuit",
    "code": "Three letters that stand for the driver on screens, such as HAM",
    "computed_points": "Points summed from results of races and sprints, without rulings",
    "computed_position": "Position by computed points with known rulings; ties by count-back of race finishes",
    "config_hash": "First 12 hex digits of the SHA-256 of the job's settings",
    "constructor_id": "Key of the constructor (team) in the API",
    "constructor_ids": "Keys of the constructors that the driver drove for in the season so far",
    "country": "Country of the circuit",
    "date_of_birth": "Date of birth of the driver",
    "delta": "Computed points minus official points",
    "distinct_winners": "Number of different drivers that won a race at the circuit",
    "dnf_rate": "Share of starts that ended in a retirement without classification, 0 to 1",
    "dnfs": "Races that the driver did not finish and was not classified in",
    "dq_flags": "Codes of the quality rules that the row breaks; empty if there are none",
    "driver_a": "Key of one driver of the pair, the first in alphabetical order",
    "driver_b": "Key of the other driver of the pair",
    "driver_id": "Key of the driver in the API",
    "duration_ms": "Time in the pit lane from entry to exit, ms; not the time the car stood still",
    "entity_id": "Key of the driver or of the constructor, as kind says",
    "family_name": "Family name of the driver",
    "fastest_lap_ms": "Time of the driver's fastest lap, ms",
    "fastest_lap_no": "Number of the driver's fastest lap",
    "fastest_lap_rank": "Rank of the driver's fastest lap among those of all drivers; 1 is the fastest",
    "fastest_laps": "Races in which the driver had the fastest lap of all",
    "finish_position": "Finishing position in the race; null if the driver was not classified",
    "front_row_win_rate": "Share of races that a driver of the first two in qualifying won, 0 to 1",
    "gap_ms": "Time behind the winner, ms",
    "gap_to_leader": "Points behind the leader of the championship after the round",
    "gap_to_pole_ms": "Best qualifying time minus that of the fastest qualifier, ms",
    "gap_to_teammate_ms": "Best qualifying time minus that of the team-mate, ms; below 0 is faster",
    "given_name": "Given name of the driver",
    "grid": "Starting position; 0 is a start from the pit lane",
    "grid_penalty": "Starting position minus qualifying position, in places; null for a start from the pit lane",
    "has_sprint": "Whether the weekend has a sprint",
    "ingested_at": "Time at which Airbyte extracted the source row, UTC",
    "is_champion": "Whether the driver leads and can no longer be caught, or leads after the last round",
    "is_classified": "Whether the driver is classified: position_text is a number",
    "is_long": "Whether the stop took a minute or more, such as in an interrupted race",
    "kind": "driver or constructor",
    "lap": "Number of the lap",
    "lap_ms": "Time of the lap, ms",
    "laps": "Laps that the driver completed",
    "last_winner": "Key of the driver that won the latest race at the circuit",
    "lat": "Latitude of the circuit, degrees",
    "local_time": "Time of day of the stop by the local clock, as the API gives it",
    "locality": "City or place of the circuit",
    "lon": "Longitude of the circuit, degrees",
    "long_stops": "Stops of a minute and more, which are left out of the other columns",
    "max_points_left": "Most points that can still be won after the round; null if the season's scheme is unknown",
    "median_ms": "Median time in the pit lane, ms",
    "median_quali_gap_pct": "Median of driver_a's best qualifying time against driver_b's, %; above 0 is slower",
    "name": "Name of the constructor",
    "nationality": "Nationality, as the API gives it",
    "note": "Reason of a known ruling",
    "official_points": "Points of the official standings",
    "official_position": "Position of the official standings",
    "one_twos": "Races in which the team's cars finished first and second",
    "p25_ms": "Time in the pit lane that a quarter of the stops stay below, ms",
    "permanent_number": "Number that the driver chose for the career",
    "pit_lane_start": "Whether the driver started from the pit lane",
    "places_gained": "Starting position minus finishing position, in places; null for a start from the pit lane",
    "podiums": "Races finished in the first three places",
    "podiums_cum": "Podiums of the season up to and with the round",
    "points": "Points of the session",
    "points_a": "Points of driver_a in races and sprints of those rounds",
    "points_b": "Points of driver_b in races and sprints of those rounds",
    "points_cum": "Points of the season up to and with the round, with known rulings",
    "points_cum_gross": "Points of the season up to and with the round, without rulings",
    "points_per_start": "Points of the season divided by starts",
    "points_round": "Points of race and sprint of the round",
    "pole_win_rate": "Share of races that the fastest qualifier won, 0 to 1",
    "poles": "Times that the driver was the fastest qualifier, whatever the starting position was",
    "position": "Position in the session; of two rows of one key, the better was kept",
    "position_cum": "Position in the championship after the round",
    "position_text": "Position as the API gives it: a number, or a letter such as R for retired",
    "q1_ms": "Best time of the first qualifying segment, ms",
    "q2_ms": "Best time of the second qualifying segment, ms",
    "q3_ms": "Best time of the third qualifying segment, ms",
    "quali_a": "Rounds in which driver_a qualified before driver_b",
    "quali_b": "Rounds in which driver_b qualified before driver_a",
    "quali_position": "Position in qualifying",
    "quali_start": "Start of qualifying, UTC",
    "race_a": "Races in which driver_a finished before driver_b, both classified",
    "race_b": "Races in which driver_b finished before driver_a, both classified",
    "race_date": "Date of the race, as the calendar gives it",
    "race_name": "Name of the race",
    "race_points": "Points of the race of the round",
    "race_start": "Start of the race, UTC",
    "race_time_ms": "Time of the whole race, ms",
    "races": "Number of races at the circuit",
    "races_together": "Rounds in which both drove for the team",
    "rank": "Rank of the team's median time among all teams of the race; 1 is the quickest",
    "reason": "Code of the rule for which the row was rejected",
    "round": "Number of the round in the season",
    "row": "The rejected row as it came, as JSON",
    "run_id": "Run of etltctl that wrote the row",
    "season": "Year of the season",
    "segment_reached": "Last qualifying segment in which the driver has a time, 1 to 3",
    "session": "R for the race, S for the sprint",
    "source_file": "Bronze file that the row was read from",
    "source_row": "Position of the row in its bronze file, from 0",
    "source_rows": "Number of source rows of the same key",
    "sprint_points": "Points of the sprint of the round",
    "sprint_start": "Start of the sprint, UTC",
    "starts": "Races that the driver started",
    "status": "How the race ended for the driver, in the API's words",
    "status_group": "How the race ended: finished, lapped, retired, dsq (disqualified) or dns (did not start)",
    "stop": "Number of the driver's stop in the race, from 1",
    "stops": "Number of stops of less than a minute",
    "table_name": "Table that the row was rejected from",
    "title_clinched_round": "First round after which no rival could catch the leader; null for all others",
    "url": "Page about the race",
    "win_rate": "Share of the driver's starts at the circuit that were won, 0 to 1",
    "wins": "Races won",
    "wins_cum": "Races of the season won up to and with the round",
}
_CHAMPIONSHIP = {
    "points": "Points of the season, with known rulings",
    "position": "Position in the championship after the last round that has results",
}
_STANDING = {
    "points": "Official points of the season after the round",
    "position": "Official position in the championship after the round",
    "wins": "Official number of races won in the season after the round",
}
OWN_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "silver.f1_driver_standing": _STANDING,
    "silver.f1_constructor_standing": _STANDING,
    "silver.f1_lap": {"position": "Position at the end of the lap"},
    "silver.f1_qualifying": {"position": "Position in qualifying"},
    "gold.f1_driver_championship": _CHAMPIONSHIP,
    "gold.f1_constructor_championship": {
        **_CHAMPIONSHIP,
        "podiums": "Finishes of the team's cars in the first three places",
    },
    "gold.f1_constructor_points_progression": {
        "podiums_cum": "Finishes of the team's cars in the first three places up to and with the round",
    },
    "gold.f1_pit_stats": {"best_ms": "Shortest time in the pit lane, ms"},
    "gold.f1_standings_reconciliation": {
        "status": "match, points_diff, order_tie, missing_official or known_adjustment (a ruling explains delta)",
    },
    "gold.f1_circuit_wins": {
        "starts": "Races that the driver started at the circuit",
        "wins": "Races that the driver won at the circuit",
    },
}

_RACE = "season round"
_READ = "source_rows dq_flags ingested_at run_id config_hash"
_MADE = "run_id config_hash"
_STANDING_COLUMNS = "position position_text points wins"
_PROGRESSION_START = "race_points sprint_points points_round points_cum"
_PROGRESSION_END = f"position_cum wins_cum podiums_cum gap_to_leader max_points_left {_MADE}"
# The meaning of each table, and the names of its columns.
TABLES: Mapping[str, tuple[str, str]] = {
    "silver.f1_race": (
        "The calendar: one row for a race.",
        f"{_RACE} race_name circuit_id race_date url has_sprint race_start quali_start sprint_start {_READ}",
    ),
    "silver.f1_circuit": ("The circuits.", f"circuit_id circuit_name locality country lat lon {_READ}"),
    "silver.f1_driver": (
        "The drivers.",
        f"driver_id code permanent_number given_name family_name date_of_birth nationality {_READ}",
    ),
    "silver.f1_constructor": ("The constructors (teams).", f"constructor_id name nationality {_READ}"),
    "silver.f1_result": (
        "Results of races and sprints: one row for a driver and a session. The team is that of the result, because "
        "drivers change team in mid-season.",
        f"{_RACE} session driver_id constructor_id car_number position position_text points grid laps status "
        "race_time_ms fastest_lap_rank fastest_lap_no fastest_lap_ms is_classified pit_lane_start status_group gap_ms "
        f"{_READ}",
    ),
    "silver.f1_qualifying": (
        "Qualifying: one row for a driver and a race.",
        f"{_RACE} driver_id constructor_id position q1_ms q2_ms q3_ms best_ms segment_reached {_READ}",
    ),
    "silver.f1_pit_stop": (
        "Pit stops of races. Times are lane times, from entry to exit.",
        f"{_RACE} driver_id stop lap duration_ms local_time is_long {_READ}",
    ),
    "silver.f1_lap": (
        "Laps of races: one row for a driver and a lap.",
        f"{_RACE} driver_id lap position lap_ms {_READ}",
    ),
    "silver.f1_driver_standing": (
        "Official standings of the drivers after each round.",
        f"{_RACE} driver_id {_STANDING_COLUMNS} constructor_ids {_READ}",
    ),
    "silver.f1_constructor_standing": (
        "Official standings of the constructors after each round.",
        f"{_RACE} constructor_id {_STANDING_COLUMNS} {_READ}",
    ),
    "silver_rejects.f1_row": (
        "Rows of Formula 1 that the silver tables could not keep, each with the reason.",
        f"table_name reason row source_file source_row {_MADE}",
    ),
    "gold.f1_driver_championship": (
        "The championship of drivers of each season, recomputed from results, with known rulings.",
        "season driver_id position points wins podiums poles fastest_laps dnfs starts points_per_start best_finish "
        f"avg_finish is_champion title_clinched_round {_MADE}",
    ),
    "gold.f1_constructor_championship": (
        "The championship of constructors of each season, recomputed from results, with known rulings.",
        f"season constructor_id position points wins one_twos podiums {_MADE}",
    ),
    "gold.f1_standings_reconciliation": (
        "Standings recomputed from results next to the official ones, after each round.",
        f"{_RACE} kind entity_id computed_points official_points delta computed_position official_position status "
        f"note {_MADE}",
    ),
    "gold.f1_driver_points_progression": (
        "Points of each driver round by round, and what could still be won.",
        f"{_RACE} driver_id constructor_id {_PROGRESSION_START} {_PROGRESSION_END}",
    ),
    "gold.f1_constructor_points_progression": (
        "Points of each constructor round by round, and what could still be won.",
        f"{_RACE} constructor_id {_PROGRESSION_START} points_cum_gross {_PROGRESSION_END}",
    ),
    "gold.f1_quali_vs_race": (
        "Qualifying, start and finish of each driver in each race.",
        f"{_RACE} driver_id quali_position grid finish_position grid_penalty places_gained gap_to_pole_ms "
        f"gap_to_teammate_ms {_MADE}",
    ),
    "gold.f1_pit_stats": (
        "Times in the pit lane of each team in each race; stops of a minute and more are counted separately.",
        f"{_RACE} constructor_id stops median_ms p25_ms best_ms long_stops rank {_MADE}",
    ),
    "gold.f1_teammate_h2h": (
        "Two drivers of a team compared, over the rounds in which both drove for it.",
        "season constructor_id driver_a driver_b races_together race_a race_b quali_a quali_b points_a points_b "
        f"median_quali_gap_pct {_MADE}",
    ),
    "gold.f1_circuit_stats": (
        "Statistics of the races at each circuit, over the seasons that were read.",
        "circuit_id races pole_win_rate front_row_win_rate avg_places_gained dnf_rate distinct_winners last_winner "
        f"{_MADE}",
    ),
    "gold.f1_circuit_wins": (
        "Record of each driver at each circuit, over the seasons that were read.",
        f"circuit_id driver_id starts wins win_rate podiums best_grid {_MADE}",
    ),
}
