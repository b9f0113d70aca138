{{ config(materialized='table', table_type='iceberg', format='parquet', partitioned_by=['bucket(driver, 4)']) }}
select driver, lap, cast(timestamp '2024-03-02 15:00:00' as timestamp(6)) as at
from (values ('ver', 1), ('ver', 2), ('per', 1)) as t (driver, lap)
