select count(*) as n from {{ ref('podium') }} having count(*) <> 3
