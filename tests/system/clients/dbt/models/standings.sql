-- a view
select driver_id, position, cast(points as double) as points, wins
from {{ source('gold', 'f1_driver_championship') }}
