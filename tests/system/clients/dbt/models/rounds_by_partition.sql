{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partitioned_by=['round']) }}
select driver_id, points_cum, '{{ invocation_id }}' as written_by, round
from {{ source('gold', 'f1_driver_points_progression') }}
where round between {{ var('first_round', 1) }} and {{ var('last_round', 1) }}
