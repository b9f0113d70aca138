"""What the tables and columns of weather mean, with units, as the catalog shows it to readers."""

from collections.abc import Mapping

SCREENING = (
    "Wind is measured or modelled at 10 m; values at the hub and all solar values are computed: a way to compare "
    "places and hours, not a yield estimate."
)

# A name means the same in every table that has it, unless OWN_COLUMNS says otherwise. The catalog takes 255 characters.
COLUMNS: Mapping[str, str] = {
    "_id": "Identifier of the document in MongoDB",
    "air_density_kgm3": "Density of the moist air, kg/m3; null without a temperature",
    "air_density_mean_kgm3": "Mean air density over the hours, kg/m3",
    "cf_proxy": "Mean share of its rated power that a turbine would give by the configured power curve, 0 to 1",
    "city_key": "Key of the place: its name in lower-case ASCII words joined by _",
    "city_name": "Name of the place as the document gives it",
    "clear_sky_kwh_m2": "Sun under a clear sky, summed over the hours, kWh/m2; null without cloud observations",
    "clearness_proxy": "Sun under the observed clouds divided by sun under a clear sky, 0 to 1",
    "clouds_band": "Cloud cover in percent: 0-25, 25-50, 50-75, 75-100 or unknown",
    "clouds_mean_pct": "Mean cloud cover over the hours, %",
    "clouds_pct": "Cloud cover, %",
    "config_hash": "First 12 hex digits of the SHA-256 of the job's settings",
    "coverage_pct": "Hours with data as a share of all hours of the month, %",
    "days_complete": "Days of the month with enough hours that have a temperature",
    "days_observed": "Days of the month with at least one observation",
    "delta_vs_all_pct": "Difference of cf_proxy from the mean of all hours of the place, %",
    "dew_point_c": "Dew point, degrees Celsius",
    "direction": "top for the days of most potential, bottom for those of least",
    "document": "The rejected document as it came, as JSON",
    "dq_flags": "Codes of the quality rules that the row breaks or of fallbacks that were used; empty if none",
    "dt": "Time of the document as it came, seconds since 1970-01-01 UTC",
    "dt_iso": "Time of the document as text, as it came",
    "feels_like_c": "Temperature as people feel it, degrees Celsius",
    "freq_pct": "Share of the month's hours that have a speed and a direction or are calm, %",
    "ghi_proxy_kwh_m2": "Sun on a level surface under the observed clouds, summed, kWh/m2; null without clouds_pct",
    "ghi_proxy_mean_wm2": "Mean sun on a level surface under the observed clouds, W/m2; null without observed clouds",
    "ghi_ratio_mean": "Mean over daylight hours of sun under clouds divided by sun under a clear sky, 0 to 1",
    "hours": "Number of hours with data that the row summarises",
    "hours_below_cut_in_pct": "Share of hours whose wind at the hub is below the cut-in speed, %",
    "hours_observed": "Number of hours with at least one observation",
    "hours_rated_pct": "Share of hours whose wind at the hub lies between rated and cut-out speed, %",
    "humidity_mean_pct": "Mean relative humidity over the hours, %",
    "humidity_pct": "Relative humidity, %",
    "ingested_at": "Time at which Airbyte extracted the source row, UTC",
    "is_complete": "Whether enough hours of the day have a temperature (18 unless configured otherwise)",
    "kind": "wind or solar",
    "lat": "Latitude of the place, degrees; from the settings if the document has none",
    "local_date": "Date by the local clock of the place",
    "local_hour": "Hour of the day by the local clock of the place, 0 to 23",
    "lon": "Longitude of the place, degrees; from the settings if the document has none",
    "month": "Month by the local clock, 1 to 12",
    "observed_at": "Time of the observation, UTC",
    "precip_from_3h": "Whether rain or snow was given for three hours and divided by three",
    "pressure_msl_hpa": "Air pressure reduced to sea level, hPa",
    "pressure_source": "Origin of the station pressure: measured, reduced (from sea level) or standard (atmosphere)",
    "pressure_station_hpa": "Air pressure at the ground, hPa; pressure_source says where it comes from",
    "pressure_station_mean_hpa": "Mean air pressure at the ground over the hours, hPa",
    "pv_proxy_kwh_m2": "Electricity of a solar panel, summed over the hours, kWh per m2 of panel; null without clouds",
    "rain_1h_mm": "Rain of the last hour, mm; 0 if the document describes weather without rain",
    "rain_mm": "Rain, summed over the hours, mm",
    "rank": "Place in the ranking, from 1; days of equal value are ordered by date",
    "reason": "Code of the rule for which the row was rejected",
    "run_id": "Run of etltctl that wrote the row",
    "sector": "Direction that the wind comes from, 0 (N) to 15 (NNW), clockwise in steps of 22.5 degrees; -1 is calm",
    "sector_name": "Name of the sector, such as NNE, or calm",
    "snow_1h_mm": "Snow of the last hour, mm of water; 0 if the document describes weather without snow",
    "snow_mm": "Snow, summed over the hours, mm of water",
    "source_file": "Bronze file that the row was read from",
    "source_row": "Position of the row in its bronze file, from 0",
    "source_rows": "Number of documents that were merged into the row",
    "speed_bin": "Wind speed at 10 m in m/s: 0.5-2, 2-4, 4-6, 6-8, 8-10, 10+ or calm (below 0.5)",
    "temp_c": "Air temperature, degrees Celsius",
    "temp_max_c": "Highest air temperature, degrees Celsius",
    "temp_mean_c": "Mean air temperature over the hours, degrees Celsius",
    "temp_min_c": "Lowest air temperature, degrees Celsius",
    "unit": "Unit of the value",
    "utc_offset_s": "Offset of the local clock from UTC, seconds",
    "value": "Wind energy at 10 m or sun of the day, in the unit of the column unit",
    "visibility_m": "Visibility, m",
    "weather_description": "Severest weather of the observation, in words",
    "weather_id": "Severest weather of the observation, as OpenWeather's code",
    "weather_ids": "OpenWeather's codes of all weather of the merged documents, in rising order",
    "weather_main": "Group of the severest weather, such as Rain; unknown where a table groups by it and there is none",
    "weibull_c_ms": "Scale of the Weibull distribution of the hourly wind speed at 10 m, m/s",
    "weibull_k": "Shape of the Weibull distribution of the hourly wind speed at 10 m, without a unit",
    "wind_class": "Wind power class of NREL by mean wind power density at 10 m, 1 (least) to 7",
    "wind_dir_deg": "Direction that the wind comes from, degrees from north, clockwise; null when calm (below 0.5 m/s)",
    "wind_dir_mean_deg": "Mean direction that the wind comes from (mean of vectors), degrees from north, clockwise",
    "wind_dir_steadiness": "Length of the mean vector of direction: 1 is always the same direction, 0 is none",
    "wind_energy_kwh_m2": "Wind energy at 10 m, summed over the day, kWh/m2; null unless enough hours are known",
    "wind_gust_max_ms": "Strongest gust, m/s",
    "wind_gust_ms": "Gust, m/s",
    "wind_speed_max_ms": "Highest wind speed at 10 m, m/s",
    "wind_speed_mean_ms": "Mean wind speed at 10 m over the hours, m/s",
    "wind_speed_ms": "Wind speed at 10 m, m/s",
    "wpd10_mean_wm2": "Mean wind power density at 10 m (mean of cubes, not cube of the mean), W/m2",
    "wpd10_p50": "Wind power density at 10 m that half of the hours stay below, W/m2",
    "wpd10_p90": "Wind power density at 10 m that nine tenths of the hours stay below, W/m2",
    "wpd_hub_mean_wm2": "Mean wind power density at the height of the hub (100 m unless configured otherwise), W/m2",
    "year": "Year by the local clock",
}
OWN_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "silver.weather_observation": {
        "temp_max_c": "Highest air temperature of the area at that time, degrees Celsius",
        "temp_min_c": "Lowest air temperature of the area at that time, degrees Celsius",
        "year": "Year of observed_at, UTC",
    },
    "gold.potential_hour_month": {"month": "Month by the local clock, 1 to 12, of all years together"},
}

_CLIMATE = (
    "temp_mean_c temp_min_c temp_max_c humidity_mean_pct pressure_station_mean_hpa air_density_mean_kgm3 "
    "wind_speed_mean_ms wind_speed_max_ms wind_gust_max_ms wind_dir_mean_deg wind_dir_steadiness wpd10_mean_wm2 "
    "wpd_hub_mean_wm2 cf_proxy clouds_mean_pct ghi_proxy_kwh_m2 clear_sky_kwh_m2 clearness_proxy pv_proxy_kwh_m2 "
    "rain_mm snow_mm"
)
# The meaning of each table, and the names of its columns.
TABLES: Mapping[str, tuple[str, str]] = {
    "silver.weather_observation": (
        "Cleaned weather observations: one row for a place and a time. Impossible values are null, and dq_flags says "
        "what was wrong.",
        "city_name observed_at utc_offset_s local_date local_hour lat lon temp_c feels_like_c temp_min_c temp_max_c "
        "dew_point_c pressure_msl_hpa pressure_station_hpa pressure_source humidity_pct wind_speed_ms wind_gust_ms "
        "wind_dir_deg clouds_pct rain_1h_mm snow_1h_mm precip_from_3h visibility_m weather_id weather_main "
        "weather_description weather_ids air_density_kgm3 source_rows dq_flags ingested_at run_id config_hash "
        "source_file city_key year",
    ),
    "silver_rejects.weather_observation": (
        "Weather documents that silver.weather_observation could not keep, each with the reason.",
        "reason _id source_file source_row city_name dt dt_iso document run_id config_hash",
    ),
    "gold.weather_daily": (
        f"Weather, wind power and sun of each place and local day. {SCREENING}",
        f"city_key local_date hours_observed is_complete {_CLIMATE} wind_energy_kwh_m2 config_hash",
    ),
    "gold.weather_monthly": (
        f"Weather, wind power and sun of each place and local month, with the distribution of the wind. {SCREENING}",
        f"city_key year month hours_observed days_observed days_complete coverage_pct {_CLIMATE} weibull_k "
        "weibull_c_ms wpd10_p50 wpd10_p90 hours_below_cut_in_pct hours_rated_pct wind_class config_hash",
    ),
    "gold.wind_rose_monthly": (
        "Hours and wind power of each place and local month by direction and speed of the wind at 10 m.",
        "city_key year month sector speed_bin sector_name hours freq_pct wpd10_mean_wm2 config_hash",
    ),
    "gold.potential_hour_month": (
        f"Wind and sun of each place by month and hour of the local day. {SCREENING}",
        "city_key month local_hour hours ghi_proxy_mean_wm2 wpd10_mean_wm2 cf_proxy config_hash",
    ),
    "gold.potential_by_condition": (
        f"Wind and sun of each place by weather and cloud cover, against all its hours. {SCREENING}",
        "city_key weather_main clouds_band hours cf_proxy ghi_ratio_mean delta_vs_all_pct config_hash",
    ),
    "gold.day_ranking": (
        f"The complete days of most and of least wind or sun of each place. {SCREENING}",
        "city_key kind direction rank local_date value unit config_hash",
    ),
}
