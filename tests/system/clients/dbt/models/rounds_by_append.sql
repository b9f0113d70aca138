{{ config(materialized='incremental', incremental_strategy='append') }}
select season, round, driver_id, points_cum from {{ source('gold', 'f1_driver_points_progression') }}
where round <= {{ var('last_round', 1) }}
{% if is_incremental() %} and round > (select max(round) from {{ this }}) {% endif %}
